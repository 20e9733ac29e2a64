import type { ChatModel } from '../model/chat-model'
import { ImageError } from '../model/errors'
import { buildPrompt, type Prompt, type PromptImage } from '../model/prompt'
import type { AskEvent, AskRequest, ImageInput } from './api'

/** What is asked, without how to answer it. */
export type Question = Pick<AskRequest, 'messages' | 'raw'>

/** All pictures of a question, in the order of their placeholders. */
export const imagesOf = (request: Question): ImageInput[] =>
  request.raw ? request.raw.images : request.messages.flatMap(({ images }) => images ?? [])

/**
 * Tokenises a conversation and encodes the pictures that are not encoded yet.
 *
 * Throws: ImageError for files that are no picture, and for pictures given to a text-only model; TemplateError.
 */
export async function preparePrompt(
  model: ChatModel,
  question: Question,
  onEvent: (e: AskEvent) => void,
  signal: AbortSignal,
): Promise<Prompt> {
  const { tokenizer, images } = model
  const inputs = imagesOf(question)
  if (inputs.length && !images) {
    throw new ImageError(
      'ask: this model reads text only. Remove the pictures or load a vision-language model.',
    )
  }
  const { raw, messages } = question
  const ids = raw
    ? tokenizer.encode(raw.prompt)
    : tokenizer.chat(
        messages.map(({ role, text, images: pictures }) => ({ role, text, images: pictures?.length ?? 0 })),
      ).ids
  images?.trim(new Set(inputs.map(({ id }) => id)))
  const encoded: PromptImage[] = []
  for (const [i, { id, blob }] of inputs.entries()) {
    onEvent({ type: 'encoding', image: i, images: inputs.length, cached: images!.has(id) })
    const bytes = async () => new Uint8Array(await blob.arrayBuffer())
    const told = model.notes.size
    encoded.push(
      await images!.encode(id, bytes, signal, ({ tower, towers, doneBytes, totalBytes, cached = false }) =>
        onEvent({
          type: 'tower',
          image: i,
          tower,
          towers,
          name: model.plan.towers[tower]!.name,
          doneBytes,
          totalBytes,
          cached,
        }),
      ),
    )
    for (const message of [...model.notes].slice(told)) onEvent({ type: 'notice', message })
  }
  const { vision } = model.opened.blueprint
  const prompt = buildPrompt(ids, vision?.imageTokenId, encoded)
  const [first] = prompt.images
  const expected = vision?.imagePosition
  if (first && expected !== undefined && first.start !== expected) {
    onEvent({
      type: 'notice',
      message:
        `config.json: image_position is ${expected}, but in this prompt the picture stands at ${first.start}. ` +
        'It is refined where it stands; the original code would refine other positions. ' +
        'Use the chat template the model was trained with for the same answers.',
    })
  }
  return prompt
}
