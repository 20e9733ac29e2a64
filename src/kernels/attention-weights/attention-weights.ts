import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import type { KvCache } from '../kv-layout'
import { expectShape, type Tensor } from '../tensor'
import { rowLanes } from '../vec'
import f16 from '../wgsl/kv-f16.wgsl?raw'
import f32 from '../wgsl/kv-f32.wgsl?raw'
import reduce from '../wgsl/reduce.wgsl?raw'
import lseText from './attention-weights-lse.wgsl?raw'
import scoresText from './attention-weights-scores.wgsl?raw'
import weightsText from './attention-weights.wgsl?raw'

const scoresKernelFor = (dtype: 'f32' | 'f16') =>
  defineKernel({
    name: `attention-weights-scores-${dtype}`,
    wgsl: scoresText,
    include: [dtype === 'f16' ? f16 : f32],
    bindings: { q: 'read', k: 'read', scores: 'write' },
    params: {
      start: 'u32',
      end: 'u32',
      heads: 'u32',
      kv_heads: 'u32',
      D: 'u32',
      D4: 'u32',
      capacity4: 'u32',
      length4: 'u32',
      scale: 'f32',
    },
  })

const scoresKernels = { f32: scoresKernelFor('f32'), f16: scoresKernelFor('f16') }

const lseKernel = defineKernel({
  name: 'attention-weights-lse',
  wgsl: lseText,
  include: [reduce],
  bindings: { scores: 'read', lse: 'write' },
  params: { length: 'u32', row: 'u32' },
})

const weightsKernel = defineKernel({
  name: 'attention-weights',
  wgsl: weightsText,
  bindings: { scores: 'read', lse: 'read', weights: 'update' },
  params: { first: 'u32', count: 'u32', heads: 'u32', row: 'u32', accumulate: 'u32', factor: 'f32' },
})

const WG = 64

export interface AttentionWeightsOptions {
  /** Query heads; a multiple of the cache's key/value heads. */
  readonly heads: number
  /** Keys the query sees: those of the cache's first `length` positions. */
  readonly length: number
  /** The positions whose weights are wanted. */
  readonly range: { readonly start: number; readonly count: number }
  /** Factor on the scores; default 1 / sqrt(headDim). */
  readonly scale?: number | undefined
}

/**
 * How much one query attends to each position of a range, averaged over heads; all `length` positions sum to 1.
 *
 * Shapes: q [1, H*D] -> [count].
 * Throws: ShapeError when heads do not fit the cache, or the range or the length reach beyond it.
 */
export function attentionWeights(
  enc: Encoder,
  q: Tensor,
  cache: KvCache,
  options: AttentionWeightsOptions,
): Tensor {
  const weights = enc.temp([options.range.count], 'f32', 'attention weights')
  record(enc, weights, q, cache, options, { accumulate: 0, factor: 1 })
  return weights
}

/**
 * Adds `factor` times the weights to a tensor, so that layers can be averaged.
 *
 * Shapes: into [count] (updated), q [1, H*D].
 * Throws: ShapeError as `attentionWeights`.
 */
export function attentionWeightsInto(
  enc: Encoder,
  into: Tensor,
  q: Tensor,
  cache: KvCache,
  options: AttentionWeightsOptions & { readonly factor: number },
): void {
  expectShape('attention-weights: into', into, [options.range.count])
  record(enc, into, q, cache, options, { accumulate: 1, factor: options.factor })
}

function record(
  enc: Encoder,
  weights: Tensor,
  q: Tensor,
  cache: KvCache,
  { heads: H, length, range, scale }: AttentionWeightsOptions,
  how: { accumulate: number; factor: number },
): void {
  const { kvHeads: KV, headDim: D, capacity } = cache
  if (H % KV !== 0) {
    throw new ShapeError(
      `attention-weights: heads should be a multiple of ${KV} key/value heads but are ${H}`,
    )
  }
  expectShape('attention-weights: q', q, [1, H * D])
  if (!(length >= 1 && length <= capacity)) {
    throw new ShapeError(
      `attention-weights: length should be 1 to ${capacity}, what the cache holds, but is ${length}`,
    )
  }
  if (!(range.start >= 0 && range.count >= 0 && range.start + range.count <= length)) {
    throw new ShapeError(
      `attention-weights: range should lie in the ${length} positions but is ${range.start} to ${range.start + range.count}`,
    )
  }
  const length4 = Math.ceil(length / 4)
  enc.scope(() => {
    const scores = enc.temp([H, length4 * 4], 'f32', 'attention scores')
    const lse = enc.temp([H], 'f32', 'attention scores lse')
    const flopsEach = 2 * 4 * D * H
    const { maxDispatchFlops, maxWorkgroupsPerDimension } = enc.gpu.caps
    const most = Math.floor(maxDispatchFlops / (flopsEach * WG))
    const step = Math.min(Math.max(1, most), maxWorkgroupsPerDimension) * WG
    for (let start = 0; start < length4; start += step) {
      const end = Math.min(start + step, length4)
      enc.dispatch(
        scoresKernels[cache.dtype].as({ WG }),
        { q, k: cache.k, scores },
        {
          start,
          end,
          heads: H,
          kv_heads: KV,
          D,
          D4: Math.ceil(D / 4),
          capacity4: capacity / 4,
          length4,
          scale: scale ?? 1 / Math.sqrt(D),
        },
        { groups: [Math.ceil((end - start) / WG), H], flops: flopsEach * (end - start) },
      )
    }
    const row = length4 * 4
    enc.dispatch(
      lseKernel.as({ WG: rowLanes(enc.gpu.caps, length) }),
      { scores, lse },
      { length, row },
      { groups: [H] },
    )
    enc.dispatch(
      weightsKernel.as({ WG }),
      { scores, lse, weights },
      { first: range.start, count: range.count, heads: H, row, ...how },
      { groups: Math.ceil(range.count / WG) },
    )
  })
}
