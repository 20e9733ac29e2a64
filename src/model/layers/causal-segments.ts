import {
  attentionBackward,
  attentionCausal,
  attentionTakesSpans,
  takeRows,
  type AttentionSaved,
  type Encoder,
  type Spans,
  type Tensor,
} from '../../kernels'
import type { Segment } from '../language/definition'

export interface SegmentAttention {
  readonly heads: number
  readonly kvHeads: number
  readonly slidingWindow: number | undefined
}

/** Several sequences that share the rows. */
export interface Sequences {
  readonly segments: readonly Segment[]
  /** Where they attend in one call. */
  readonly spans: Spans | undefined
}

/** Sequences one behind the other, ready to attend; `spans` is a temporary of `enc`. */
export function sequencesOf(
  enc: Encoder,
  segments: readonly Segment[],
  { heads, kvHeads }: Pick<SegmentAttention, 'heads' | 'kvHeads'>,
): Sequences {
  const rows = segments.reduce((sum, { count }) => sum + count, 0)
  if (segments.length === 1 || !attentionTakesSpans(enc.gpu.caps, rows, heads / kvHeads)) {
    return { segments, spans: undefined }
  }
  const spans = segments.flatMap(({ start, count }) =>
    Array.from({ length: count }, () => [start, start + count]),
  )
  const ofTokens = enc.constant(Uint32Array.from(spans.flat()), [rows, 2])
  return { segments, spans: { ofTokens, longest: Math.max(...segments.map(({ count }) => count)) } }
}

/** What `attendSegmentsBackward` needs of the forward pass: of each sequence, or of all in one. */
export type SegmentsSaved = readonly AttentionSaved[]

/**
 * Causal attention within each of several sequences that share the rows.
 *
 * Shapes: q [T, H*D], k and v [T, KV*D] -> y [T, H*D].
 */
export function attendSegments(
  enc: Encoder,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { segments, spans }: Sequences,
  options: SegmentAttention,
): { y: Tensor; saved: SegmentsSaved } {
  if (spans) {
    const saved = attentionCausal(enc, q, k, v, { ...options, spans })
    return { y: saved.y, saved: [saved] }
  }
  const saved = segments.map((segment) =>
    enc.scope(() =>
      attentionCausal(
        enc,
        rowsOf(enc, q, segment),
        rowsOf(enc, k, segment),
        rowsOf(enc, v, segment),
        options,
      ),
    ),
  )
  return {
    y: joined(
      enc,
      q.shape,
      segments,
      saved.map(({ y }) => y),
    ),
    saved,
  }
}

/** Shapes: dy [T, H*D], the others as in the forward pass -> dq [T, H*D], dk and dv [T, KV*D]. */
export function attendSegmentsBackward(
  enc: Encoder,
  dy: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  saved: SegmentsSaved,
  { segments, spans }: Sequences,
  options: SegmentAttention,
): { dq: Tensor; dk: Tensor; dv: Tensor } {
  if (spans) return attentionBackward(enc, dy, q, k, v, saved[0], { ...options, spans })
  return enc.scope(() => {
    const parts = segments.map((segment, i) =>
      enc.scope(() => {
        const at = (x: Tensor) => rowsOf(enc, x, segment)
        return attentionBackward(enc, at(dy), at(q), at(k), at(v), saved[i], options)
      }),
    )
    const join = (like: Tensor, of: 'dq' | 'dk' | 'dv') =>
      joined(
        enc,
        like.shape,
        segments,
        parts.map((part) => part[of]),
      )
    return { dq: join(q, 'dq'), dk: join(k, 'dk'), dv: join(v, 'dv') }
  })
}

/** One sequence's rows: where they lie if the device can bind them there, else a copy. */
function rowsOf(enc: Encoder, x: Tensor, { start, count }: Segment): Tensor {
  const [rows, cols] = x.shape as [number, number]
  if (start === 0 && count === rows) return x
  const offset = x.offset + start * cols * 4
  return offset % enc.gpu.caps.offsetAlignment === 0 && (count * cols) % 4 === 0
    ? { ...x, shape: [count, cols], offset }
    : takeRows(enc, x, { batch: 1, start, count })
}

/** The sequences' rows one behind the other. */
function joined(
  enc: Encoder,
  shape: readonly number[],
  segments: readonly Segment[],
  parts: readonly Tensor[],
): Tensor {
  if (parts.length === 1) return parts[0]!
  const rows = enc.temp(shape, 'f32', 'sequences')
  for (const [i, part] of parts.entries()) {
    enc.copy(part, rows, { toOffset: segments[i]!.start * shape[1]! * 4 })
  }
  return rows
}
