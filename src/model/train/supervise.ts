import type { SupervisedConversation } from '../template/labels/definition'
import { IGNORED } from './definition'

/** A sample as it goes through the language model. */
export interface ExpandedSample {
  /** Pictures expanded to their rows; a negative placeholder is 0xffffff38, as in a prompt. */
  readonly ids: Uint32Array<ArrayBuffer>
  /** Equally long; IGNORED where the token is not learned. They are not shifted. */
  readonly labels: Int32Array<ArrayBuffer>
  readonly images: readonly { readonly start: number; readonly rows: number }[]
  /** Tokens that are learned; the very first cannot be, as nothing stands before it. */
  readonly learned: number
  /** Why the sample has no part in training. */
  readonly unusable?: string
}

/**
 * Expands each placeholder to the rows of its picture and cuts what lies behind `maxTokens`.
 *
 * `imageRows`: of each picture in order. A sample without all of its pictures, or with nothing left to learn, comes back
 * with the reason.
 */
export function expandAndCut(
  { ids, labels, masked }: SupervisedConversation,
  placeholderId: number,
  imageRows: readonly number[],
  maxTokens: number,
): ExpandedSample {
  const expanded: number[] = []
  const kept: number[] = []
  const images: { start: number; rows: number }[] = []
  for (const [i, id] of ids.entries()) {
    if (id !== placeholderId) {
      expanded.push(id)
      kept.push(labels[i]!)
      continue
    }
    const rows = imageRows[images.length] ?? 0
    images.push({ start: expanded.length, rows })
    for (let row = 0; row < rows; row++) {
      expanded.push(id)
      kept.push(IGNORED)
    }
  }
  const cut = kept.slice(0, maxTokens)
  const learned = cut.filter((label, i) => i > 0 && label !== IGNORED).length
  const unusable = reasonAgainst()
  return {
    ids: Uint32Array.from(expanded.slice(0, maxTokens)),
    labels: Int32Array.from(cut),
    images: images.filter(({ start, rows }) => start + rows <= maxTokens),
    learned,
    ...(unusable !== undefined && { unusable }),
  }

  function reasonAgainst(): string | undefined {
    if (masked !== undefined) return masked
    if (images.length !== imageRows.length) {
      const named = images.length === 1 ? '1 place for a picture' : `${images.length} places for pictures`
      return `its text has ${named}, and it has ${imageRows.length}. Write <image> once for each picture`
    }
    const last = images.at(-1)
    if (last && last.start + last.rows > maxTokens) {
      return (
        `its picture ends at token ${last.start + last.rows}, and samples are cut behind ${maxTokens}. ` +
        'Raise the limit or shorten what stands before it'
      )
    }
    if (learned > 0) return undefined
    return expanded.length > maxTokens
      ? `nothing to learn is left of its ${expanded.length} tokens, cut behind ${maxTokens}. Raise the limit`
      : 'nothing in it is learned'
  }
}
