import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, type Tensor } from '../tensor'
import { FLAT_WG, rowLanes, vecOf } from '../vec'
import reduceVec from '../wgsl/reduce-vec.wgsl?raw'
import reduce from '../wgsl/reduce.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import chunkWgsl from './cross-entropy-chunk.wgsl?raw'
import gradientWgsl from './cross-entropy-gradient.wgsl?raw'
import lossesWgsl from './cross-entropy-losses.wgsl?raw'
import statistics from './statistics.wgsl?raw'

const chunkKernel = defineKernel({
  name: 'cross-entropy-chunk',
  wgsl: chunkWgsl,
  include: [vec, reduce, reduceVec, statistics],
  bindings: { logits: 'read', labels: 'read', state: 'update' },
  params: { rows: 'u32', cols: 'u32', vocab_start: 'u32' },
})

const lossesKernel = defineKernel({
  name: 'cross-entropy-losses',
  wgsl: lossesWgsl,
  include: [statistics],
  bindings: { state: 'read', losses: 'write' },
  params: { rows: 'u32' },
})

const gradientKernel = defineKernel({
  name: 'cross-entropy-gradient',
  wgsl: gradientWgsl,
  include: [vec, statistics],
  bindings: { labels: 'read', state: 'read', scales: 'read', logits: 'update' },
  params: { count: 'u32', cols: 'u32', vocab_start: 'u32' },
})

/** Label of a row that takes no part: its loss and its gradient are 0. */
export const NO_LABEL = 0xffffffff

/** What is known of each row's logits after some chunks of the vocabulary. */
export interface CrossEntropyStats {
  readonly rows: number
  /** u32 [rows, 4]; see statistics.wgsl. */
  readonly state: Tensor
}

function widths(cols: number) {
  const { width, values } = vecOf(cols)
  const isWide = width === 4
  return {
    width,
    values: { ...values, Words: isWide ? 'vec4u' : undefined },
    steps: { STEPS: isWide ? 'vec4u(0u, 1u, 2u, 3u)' : undefined },
  }
}

function expectChunk(op: string, stats: CrossEntropyStats, logits: Tensor, labels: Tensor): void {
  expectShape(`${op}: logits`, logits, [stats.rows, lastDim(logits)])
  expectShape(`${op}: labels`, labels, [stats.rows], 'u32')
}

/**
 * Softmax cross entropy of rows whose logits come in chunks of the vocabulary, so that [rows, V] is never held whole:
 * `crossEntropyChunk` for each chunk, then `crossEntropyLosses`, then `crossEntropyGradient` for each chunk computed anew.
 *
 * Throws: ShapeError unless there is a row.
 */
export function crossEntropyStart(enc: Encoder, rows: number): CrossEntropyStats {
  if (!(rows > 0)) throw new ShapeError(`cross-entropy: rows should be at least 1 but is ${rows}`)
  const state = enc.temp([rows, 4], 'u32', 'cross-entropy state')
  enc.clear(state)
  return { rows, state }
}

/**
 * Takes the logits of ids `vocabStart` and up into the statistics. Chunks may come in any order and width, each id once.
 *
 * Shapes: logits f32 [rows, Vc], labels u32 [rows], ids of the whole vocabulary or NO_LABEL.
 * Throws: ShapeError unless they are.
 * Source: arXiv:1805.02867.
 */
export function crossEntropyChunk(
  enc: Encoder,
  stats: CrossEntropyStats,
  logits: Tensor,
  labels: Tensor,
  vocabStart: number,
): void {
  expectChunk('cross-entropy', stats, logits, labels)
  const { rows, state } = stats
  const { width, values } = widths(lastDim(logits))
  const cols = lastDim(logits) / width
  const variant = chunkKernel.as({ ...values, WG: rowLanes(enc.gpu.caps, cols) })
  enc.dispatch(
    variant,
    { logits, labels, state },
    { rows, cols, vocab_start: vocabStart },
    { groups: rows, flops: 4 * elementCount(logits.shape) },
  )
}

/**
 * Cross entropy of every row in nats once all chunks were taken in. It is a NaN where a logit was not finite or the label
 * was in no chunk, and 0 for NO_LABEL.
 *
 * Shapes: -> f32 [rows].
 */
export function crossEntropyLosses(enc: Encoder, { rows, state }: CrossEntropyStats): Tensor {
  const losses = enc.temp([rows], 'f32', 'cross-entropy losses')
  const groups = Math.ceil(rows / FLAT_WG)
  enc.dispatch(lossesKernel.as({ WG: FLAT_WG }), { state, losses }, { rows }, { groups })
  return losses
}

/**
 * Overwrites a chunk's logits by the gradient (softmax - onehot) * scale, with the statistics of all chunks. Rows whose loss
 * is a NaN get NaNs, those with NO_LABEL zeros.
 *
 * Shapes: logits f32 [rows, Vc], labels u32 [rows], scales f32 [rows].
 * Throws: ShapeError unless they are.
 */
export function crossEntropyGradient(
  enc: Encoder,
  stats: CrossEntropyStats,
  logits: Tensor,
  labels: Tensor,
  vocabStart: number,
  scales: Tensor,
): void {
  expectChunk('cross-entropy-gradient', stats, logits, labels)
  expectShape('cross-entropy-gradient: scales', scales, [stats.rows])
  const { width, values, steps } = widths(lastDim(logits))
  const count = elementCount(logits.shape) / width
  enc.dispatch(
    gradientKernel.as({ ...values, ...steps, WG: FLAT_WG }),
    { labels, state: stats.state, scales, logits },
    { count, cols: lastDim(logits) / width, vocab_start: vocabStart },
    { groups: Math.ceil(count / FLAT_WG), flops: 2 * count * width },
  )
}
