import type { ChatModel } from '../model/chat-model'
import { ImageError } from '../model/errors'
import type { ImageFeatures } from '../model/image-features'
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
  const encoded = inputs.length ? await encodePictures(model, images!, inputs, onEvent, signal) : []
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

async function encodePictures(
  { plan, notes }: ChatModel,
  images: ImageFeatures,
  inputs: readonly ImageInput[],
  onEvent: (e: AskEvent) => void,
  signal: AbortSignal,
): Promise<PromptImage[]> {
  const cached = inputs.filter(({ id }) => images.has(id)).length
  const tell = (share: number) => onEvent({ type: 'encoding', images: inputs.length, cached, share })
  if (cached === inputs.length) tell(1)
  const told = notes.size
  const encoded = await images.encode(
    inputs.map(({ id, blob }) => ({
      key: id,
      bytes: async () => new Uint8Array(await blob.arrayBuffer()),
    })),
    signal,
    {
      onShare: tell,
      onTower: ({ tower, towers, doneBytes, totalBytes, cached = false }) =>
        onEvent({
          type: 'tower',
          tower,
          towers,
          name: plan.towers[tower]!.name,
          doneBytes,
          totalBytes,
          cached,
        }),
    },
  )
  for (const message of [...notes].slice(told)) onEvent({ type: 'notice', message })
  return encoded
}
