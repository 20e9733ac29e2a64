import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { lastDim, type Tensor } from '../tensor'
import f16 from '../wgsl/kv-f16.wgsl?raw'
import f32 from '../wgsl/kv-f32.wgsl?raw'
import decode from './attention-decode.wgsl?raw'
import merge from './attention-merge.wgsl?raw'

const kernelFor = (dtype: 'f32' | 'f16') =>
  defineKernel({
    name: `attention-decode-${dtype}`,
    wgsl: decode,
    include: [dtype === 'f16' ? f16 : f32],
    bindings: { q: 'read', k: 'read', v: 'read', out: 'write', stats: 'write' },
    params: {
      T: 'u32',
      S: 'u32',
      G: 'u32',
      KV: 'u32',
      D4: 'u32',
      position: 'u32',
      window: 'u32',
      k_row: 'u32',
      split_first: 'u32',
      split_start: 'u32',
      splits: 'u32',
      scale: 'f32',
    },
  })

const kernels = { f32: kernelFor('f32'), f16: kernelFor('f16') }

const mergeKernel = defineKernel({
  name: 'attention-merge',
  wgsl: merge,
  bindings: { sums: 'read', stats: 'read', y: 'write' },
  params: { rows: 'u32', splits: 'u32', D4: 'u32' },
})

/** Keys one workgroup takes. */
const RANGE = 256
const MERGE_WG = 64

/** Rows (token, head) of one key/value head up to which the decode form is taken. */
export const DECODE_ROWS = 32

/** Few queries over a cache, in the kernels' own terms. */
export interface DecodeCall {
  readonly dtype: 'f32' | 'f16'
  /** [T, H, D4*4]. */
  readonly q: Tensor
  /** [KV, D4*4, capacity]. */
  readonly k: Tensor
  /** [KV, capacity, D4*4]. */
  readonly v: Tensor
  readonly T: number
  readonly S: number
  readonly KV: number
  /** Query heads a key/value head. */
  readonly G: number
  readonly D4: number
  readonly scale: number
  readonly position: number
  readonly window: number
}

/** Dispatches one workgroup a range of keys, and the merge where there are several. Returns: [T, H*D4*4]. */
export function dispatchDecode(enc: Encoder, call: DecodeCall): Tensor {
  const { q, k, v, T, S, KV, G, D4, position, window } = call
  const H = KV * G
  const rows = T * G
  const splitFirst = Math.floor(Math.max(0, position + 1 - window) / RANGE)
  const splits = Math.ceil(S / RANGE) - splitFirst
  const sums = enc.temp([T, H * splits * D4 * 4], 'f32', 'attention decode')
  const stats = enc.temp([T * H, splits, 2], 'f32', 'attention stats')
  const QUADS = rows > 4 ? 2 : 1
  const ROWS = 4 * QUADS
  const groups = Math.ceil(rows / ROWS)
  const flops = 4 * RANGE * ROWS * groups * KV * D4 * 4
  const most = Math.max(1, Math.floor(enc.gpu.caps.maxDispatchFlops / flops))
  for (let start = 0; start < splits; start += most) {
    const count = Math.min(most, splits - start)
    enc.dispatch(
      kernels[call.dtype].as({ QUADS }),
      { q, k, v, out: sums, stats },
      {
        T,
        S,
        G,
        KV,
        D4,
        position,
        window,
        k_row: lastDim(k) / 4,
        split_first: splitFirst,
        split_start: start,
        splits,
        scale: call.scale,
      },
      { groups: [count, KV, groups], flops: flops * count },
    )
  }
  if (splits === 1) return sums
  const y = enc.temp([T, H * D4 * 4], 'f32', 'attention')
  enc.dispatch(
    mergeKernel.as({ WG: MERGE_WG }),
    { sums, stats, y },
    { rows: T * H, splits, D4 },
    { groups: Math.ceil((T * H * D4) / MERGE_WG) },
  )
  enc.release(sums)
  enc.release(stats)
  return y
}
