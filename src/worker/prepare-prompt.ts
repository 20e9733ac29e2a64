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
    encoded.push(await images!.encode(id, async () => new Uint8Array(await blob.arrayBuffer()), signal))
  }
  return buildPrompt(ids, model.opened.blueprint.vision?.imageTokenId, encoded)
}
