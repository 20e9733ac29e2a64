import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, reshape, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './mean-rows-backward.wgsl?raw'
import sums from './sum-rows.wgsl?raw'

const sumKernel = defineKernel({
  name: 'sum-rows',
  wgsl: sums,
  include: [vec],
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', cols: 'u32', R: 'u32', chunks: 'u32', chunkRows: 'u32', scale: 'f32' },
})

const backwardKernel = defineKernel({
  name: 'mean-rows-backward',
  wgsl: backward,
  include: [vec],
  bindings: { dy: 'read', dx: 'write' },
  params: { count: 'u32', cols: 'u32', period: 'u32', scale: 'f32' },
})

/** Columns' workgroup: a warp or two, so that narrow tensors still spread over many workgroups. */
const COLUMN_WG = 64
/** Chunks of rows summed side by side; more of them would make the second, serial pass the longer one. */
const MAX_CHUNKS = 64
const MIN_CHUNK_ROWS = 16

/** scale * the sum over the R rows of each of B groups: x [B*R, C] -> [B, C]. */
function sumRows(enc: Encoder, x: Tensor, B: number, scale: number, label: string): Tensor {
  const C = lastDim(x)
  const R = rowsOf(x) / B
  const { width, values } = vecOf(C)
  const cols = C / width
  const variant = sumKernel.as({ ...values, WG: COLUMN_WG })
  const pass = (
    from: Tensor,
    to: Tensor,
    rows: number,
    chunks: number,
    chunkRows: number,
    factor: number,
  ) => {
    const count = B * chunks * cols
    enc.dispatch(
      variant,
      { x: from, y: to },
      { count, cols, R: rows, chunks, chunkRows, scale: factor },
      { groups: Math.ceil(count / COLUMN_WG) },
    )
  }
  const chunkRows = Math.max(MIN_CHUNK_ROWS, Math.ceil(R / MAX_CHUNKS))
  const chunks = Math.ceil(R / chunkRows)
  const y = enc.temp([B, C], 'f32', label)
  if (chunks <= 1) {
    pass(x, y, R, 1, chunkRows, scale)
  } else {
    enc.scope(() => {
      const partial = enc.temp([B, chunks, C], 'f32', `${label} partial`)
      pass(x, partial, R, chunks, chunkRows, 1)
      pass(partial, y, chunks, 1, chunks, scale)
    })
  }
  return y
}

/**
 * Mean over the rows of each picture.
 *
 * Shapes: x [B*R, C] -> [B, C].
 * Throws: ShapeError unless there are rows and they divide by the batch.
 */
export function meanRows(enc: Encoder, x: Tensor, { batch }: { readonly batch: number }): Tensor {
  const rows = rowsOf(x)
  expectShape('mean-rows: x', x, x.shape)
  if (!(batch > 0) || rows === 0 || rows % batch !== 0) {
    throw new ShapeError(
      `mean-rows: x should have a multiple of ${batch} rows, the batch, and at least one each but has ${rows}`,
    )
  }
  return sumRows(enc, x, batch, batch / rows, 'mean-rows')
}

/**
 * dLoss/dx of `meanRows` for R rows a picture.
 *
 * Shapes: dy [B, C] -> dx [B*R, C].
 */
export function meanRowsBackward(enc: Encoder, dy: Tensor, { rows: R }: { readonly rows: number }): Tensor {
  const C = lastDim(dy)
  const B = rowsOf(dy)
  expectShape('mean-rows-backward: dy', dy, dy.shape)
  const dx = enc.temp([B * R, C], 'f32', 'mean-rows dx')
  const { width, values } = vecOf(C)
  const cols = C / width
  const count = B * R * cols
  enc.dispatch(
    backwardKernel.as({ ...values, WG: FLAT_WG }),
    { dy, dx },
    { count, cols, period: R * cols, scale: 1 / R },
    { groups: Math.ceil(count / FLAT_WG) },
  )
  return dx
}

/**
 * Sum over all rows: the gradient of a vector that was added to each of them. The sums run in a fixed order.
 *
 * Shapes: x [..., C] -> [C].
 */
export function columnSums(enc: Encoder, x: Tensor): Tensor {
  expectShape('column-sums: x', x, x.shape)
  return reshape(sumRows(enc, x, 1, 1, 'column-sums'), [lastDim(x)])
}
