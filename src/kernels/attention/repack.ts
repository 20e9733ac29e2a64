import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { lastDim, rowsOf, type Tensor } from '../tensor'
import wgsl from './repack.wgsl?raw'

const WG = 64

const kernel = defineKernel({
  name: 'attention-repack',
  wgsl,
  bindings: { from_rows: 'read', to_rows: 'write' },
  params: { rows: 'u32', H: 'u32', D: 'u32', row: 'u32', start: 'u32', to_D: 'u32', S: 'u32', to_row: 'u32' },
})

/** Rows of H heads of D, taken from column `start`, as rows of H heads of `toD`, padded by zeros or cut. */
export function repackRows(enc: Encoder, x: Tensor, H: number, D: number, toD: number, start = 0): Tensor {
  const rows = rowsOf(x)
  const y = enc.temp([rows, H * toD], 'f32', 'attention repacked')
  enc.dispatch(
    kernel.as({ WG, TRANSPOSED: false }),
    { from_rows: x, to_rows: y },
    { rows, H, D, row: lastDim(x), start, to_D: toD, S: 1, to_row: 1 },
    { groups: Math.ceil((rows * H * toD) / WG) },
  )
  return y
}

/** Heads of [B*S, row] from column `start` as [B, H, toD, S rounded up to 4]. */
export function transposeHeads(
  enc: Encoder,
  x: Tensor,
  B: number,
  H: number,
  D: number,
  toD: number,
  start = 0,
): Tensor {
  const rows = rowsOf(x)
  const S = rows / B
  const toRow = Math.ceil(S / 4) * 4
  const y = enc.temp([B, H, toD, toRow], 'f32', 'attention keys')
  enc.dispatch(
    kernel.as({ WG, TRANSPOSED: true }),
    { from_rows: x, to_rows: y },
    { rows, H, D, row: lastDim(x), start, to_D: toD, S, to_row: toRow },
    { groups: Math.ceil((B * H * toD * toRow) / WG) },
  )
  return y
}
