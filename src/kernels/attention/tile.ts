import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { lastDim, type Tensor } from '../tensor'
import f16 from '../wgsl/kv-f16.wgsl?raw'
import f32 from '../wgsl/kv-f32.wgsl?raw'
import wgsl from './attention-tile.wgsl?raw'

const kernelFor = (dtype: 'f32' | 'f16') =>
  defineKernel({
    name: `attention-tile-${dtype}`,
    wgsl,
    include: [dtype === 'f16' ? f16 : f32],
    bindings: { q: 'read', k: 'read', v: 'read', y: 'write', lse: 'write' },
    params: {
      T: 'u32',
      S: 'u32',
      G: 'u32',
      KV: 'u32',
      D4: 'u32',
      position: 'u32',
      window: 'u32',
      row_start: 'u32',
      row_end: 'u32',
      head_start: 'u32',
      batch_start: 'u32',
      q_row: 'u32',
      k_row: 'u32',
      v_row: 'u32',
      v_start: 'u32',
      v_head: 'u32',
      v_batch: 'u32',
      lse_row: 'u32',
      scale: 'f32',
    },
  })

const kernels = { f32: kernelFor('f32'), f16: kernelFor('f16') }

/** One attention call in the kernels' own terms; strides of v are in vectors of four. */
export interface AttentionCall {
  readonly dtype: 'f32' | 'f16'
  /** [B, KV, D4*4, T*G rounded up to 4]. */
  readonly q: Tensor
  /** [B, KV, D4*4, keys rounded up to 4]. */
  readonly k: Tensor
  readonly v: Tensor
  /** [B*T, H*D4*4]. */
  readonly y: Tensor
  /** [B, KV, T*G rounded up to 4]: log of each row's sum of exponentials, where the backward pass will need it. */
  readonly lse?: Tensor
  readonly B: number
  readonly T: number
  /** Keys that count. */
  readonly S: number
  readonly KV: number
  /** Query heads a key/value head. */
  readonly G: number
  readonly D4: number
  readonly scale: number
  readonly causal: { readonly position: number; readonly window: number } | undefined
  readonly vRow: number
  readonly vStart: number
  readonly vHead: number
  readonly vBatch: number
}

const ROWS = 32

/** Dispatches the tile form, cut over rows, then heads, then pictures so that each dispatch stays short. */
export function dispatchTiles(enc: Encoder, call: AttentionCall): void {
  const { B, T, S, KV, G, D4, causal } = call
  const rows = T * G
  const lse = call.lse ?? enc.temp([4], 'f32', 'attention lse, unused')
  const variant = kernels[call.dtype].as({ COLUMNS: Math.ceil(D4 / 8) })
  const tileFlops = 4 * ROWS * S * D4 * 4
  const most = Math.max(1, Math.floor(enc.gpu.caps.maxDispatchFlops / tileFlops)) // tiles a dispatch
  const heads = Math.min(KV, most)
  const batches = Math.min(B, Math.max(1, Math.floor(most / KV)))
  const tiles = Math.max(1, Math.floor(most / (heads * batches)))
  for (let batchStart = 0; batchStart < B; batchStart += batches) {
    for (let headStart = 0; headStart < KV; headStart += heads) {
      for (let rowStart = 0; rowStart < rows; rowStart += tiles * ROWS) {
        const rowEnd = Math.min(rowStart + tiles * ROWS, rows)
        const count = [
          Math.ceil((rowEnd - rowStart) / ROWS),
          Math.min(heads, KV - headStart),
          Math.min(batches, B - batchStart),
        ] as const
        enc.dispatch(
          variant,
          { q: call.q, k: call.k, v: call.v, y: call.y, lse },
          {
            T,
            S,
            G,
            KV,
            D4,
            position: causal?.position ?? S,
            window: causal?.window ?? S,
            row_start: rowStart,
            row_end: rowEnd,
            head_start: headStart,
            batch_start: batchStart,
            q_row: lastDim(call.q) / 4,
            k_row: lastDim(call.k) / 4,
            v_row: call.vRow,
            v_start: call.vStart,
            v_head: call.vHead,
            v_batch: call.vBatch,
            lse_row: call.lse ? lastDim(call.lse) : 0,
            scale: call.scale,
          },
          { groups: count, flops: tileFlops * count[0] * count[1] * count[2] },
        )
      }
    }
  }
}
