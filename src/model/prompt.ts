import type { Tensor } from '../kernels'
import type { SampledPicture } from './connector/definition'
import { TemplateError } from './errors'

/** A picture whose rows stand in a prompt. */
export interface PromptImage {
  /** Identity of the picture: equal keys have equal features. */
  readonly key: string
  /** f32 [rows, C] in the language model's space. */
  readonly features: Tensor
  /** What samplers inside the language model need of it. */
  readonly sampled?: SampledPicture | undefined
}

/** A prompt ready for the language model: ids with every picture expanded to its rows. */
export interface Prompt {
  readonly ids: Uint32Array<ArrayBuffer>
  readonly images: readonly (PromptImage & { readonly start: number; readonly rows: number })[]
  readonly imageTokens: number
  /** What stands at each position: the id, or picture and row. Equal keys have equal keys and values so far. */
  readonly keys: readonly (number | string)[]
}

/**
 * Expands each placeholder id to the rows of its picture.
 *
 * Throws: TemplateError unless there are as many placeholders as pictures.
 */
export function buildPrompt(
  ids: readonly number[],
  placeholder: number | undefined,
  images: readonly PromptImage[],
): Prompt {
  const expanded: number[] = []
  const keys: (number | string)[] = []
  const placed: Prompt['images'][number][] = []
  for (const id of ids) {
    if (placeholder === undefined || id !== placeholder) {
      expanded.push(id)
      keys.push(id)
      continue
    }
    const image = images[placed.length]
    if (!image) break
    const rows = image.features.shape[0]!
    placed.push({ ...image, start: expanded.length, rows })
    for (let row = 0; row < rows; row++) {
      expanded.push(id)
      keys.push(`${image.key}#${row}`)
    }
  }
  const placeholders = placeholder === undefined ? 0 : ids.filter((id) => id === placeholder).length
  if (placeholders !== images.length) {
    throw new TemplateError(
      `prompt: ${images.length} pictures were given but the prompt has ${placeholders} <image> placeholders. ` +
        'Give one picture for each placeholder.',
    )
  }
  const imageTokens = placed.reduce((sum, { rows }) => sum + rows, 0)
  return { ids: Uint32Array.from(expanded), images: placed, imageTokens, keys }
}
