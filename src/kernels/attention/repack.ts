import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { lastDim, rowsOf, type Tensor } from '../tensor'
import wgsl from './repack.wgsl?raw'

const WG = 64

const kernel = defineKernel({
  name: 'attention-repack',
  wgsl,
  bindings: { from_rows: 'read', to_rows: 'write' },
  params: {
    rows: 'u32',
    H: 'u32',
    G: 'u32',
    D: 'u32',
    row: 'u32',
    start: 'u32',
    to_D: 'u32',
    T: 'u32',
    to_row: 'u32',
  },
})

/** Rows of H heads of D, taken from column `start`, as rows of H heads of `toD`, padded by zeros or cut. */
export function repackRows(enc: Encoder, x: Tensor, H: number, D: number, toD: number, start = 0): Tensor {
  const rows = rowsOf(x)
  const y = enc.temp([rows, H * toD], 'f32', 'attention repacked')
  enc.dispatch(
    kernel.as({ WG, TRANSPOSED: false }),
    { from_rows: x, to_rows: y },
    { rows, H, G: 1, D, row: lastDim(x), start, to_D: toD, T: 1, to_row: 1 },
    { groups: Math.ceil((rows * H * toD) / WG) },
  )
  return y
}

/** Heads as they lie in rows or in a cache; strides in vectors of four. */
export interface Strided {
  readonly tensor: Tensor
  readonly row: number
  readonly start: number
  /** From one key/value head to the next. */
  readonly head: number
  /** From one picture to the next. */
  readonly batch: number
}

/** Which heads of rows. */
export interface Heads {
  /** Pictures, or 1. */
  readonly B: number
  /** Key/value heads. */
  readonly KV: number
  /** Query heads each of them serves; 1 for keys and values themselves. */
  readonly G: number
  readonly D: number
  /** First column; default 0. */
  readonly start?: number
}

/** [B*T, row] as [B, KV, D rounded up to 4, T*G rounded up to 4], padded by zeros; see repack.wgsl. */
export function transposeHeads(enc: Encoder, x: Tensor, { B, KV, G, D, start = 0 }: Heads): Tensor {
  const rows = rowsOf(x)
  const T = rows / B
  const to_D = Math.ceil(D / 4) * 4
  const to_row = Math.ceil((T * G) / 4) * 4
  const y = enc.temp([B, KV, to_D, to_row], 'f32', 'attention transposed')
  enc.dispatch(
    kernel.as({ WG, TRANSPOSED: true }),
    { from_rows: x, to_rows: y },
    { rows, H: KV, G, D, row: lastDim(x), start, to_D, T, to_row },
    { groups: Math.ceil((B * KV * to_D * to_row) / WG) },
  )
  return y
}

/** Heads of [B*T, row] by their strides: where they lie if they do so in whole vectors, else a padded copy. */
export function stridedHeads(enc: Encoder, x: Tensor, { B, KV, G, D, start = 0 }: Heads): Strided {
  const D4 = Math.ceil(D / 4)
  const aligned = D % 4 === 0 && start % 4 === 0 && lastDim(x) % 4 === 0
  const tensor = aligned ? x : repackRows(enc, x, KV * G, D, D4 * 4, start)
  const row = lastDim(tensor) / 4
  return { tensor, row, start: aligned ? start / 4 : 0, head: G * D4, batch: (rowsOf(x) / B) * row }
}
