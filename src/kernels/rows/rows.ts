import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import gatherBackward from './gather-rows-backward.wgsl?raw'
import gather from './gather-rows.wgsl?raw'
import take from './take-rows.wgsl?raw'

const takeKernel = defineKernel({
  name: 'take-rows',
  wgsl: take,
  include: [vec],
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', taken: 'u32', period: 'u32', start: 'u32' },
})

const gatherKernel = defineKernel({
  name: 'gather-rows',
  wgsl: gather,
  include: [vec],
  bindings: { x: 'read', indices: 'read', y: 'write' },
  params: { count: 'u32', cols: 'u32', N: 'u32' },
})

const gatherBackwardKernel = defineKernel({
  name: 'gather-rows-backward',
  wgsl: gatherBackward,
  include: [vec],
  bindings: { dy: 'read', offsets: 'read', takers: 'read', dx: 'write' },
  params: { count: 'u32', cols: 'u32' },
})

export interface RowRange {
  /** Pictures or sequences that lie one after another in x. */
  readonly batch: number
  /** First row taken of each. */
  readonly start: number
  readonly count: number
}

/**
 * The same range of rows of every picture: without the class token, or the last row alone.
 *
 * Shapes: x [B*n, C] -> [B*count, C].
 * Throws: ShapeError unless the rows divide by the batch and hold the range.
 */
export function takeRows(enc: Encoder, x: Tensor, { batch, start, count }: RowRange): Tensor {
  const C = lastDim(x)
  const n = rowsOf(x) / batch
  expectShape('take-rows: x', x, x.shape)
  if (!Number.isInteger(n)) {
    throw new ShapeError(`take-rows: ${rowsOf(x)} rows should divide by the batch but that is ${batch}`)
  }
  if (start < 0 || count < 0 || start + count > n) {
    throw new ShapeError(
      `take-rows: rows ${start} to ${start + count} should lie within the ${n} of each of ${batch}; choose another range`,
    )
  }
  const y = enc.temp([batch * count, C], 'f32', 'take-rows')
  const { width, values } = vecOf(C)
  const cols = C / width
  enc.dispatch(
    takeKernel.as({ ...values, WG: FLAT_WG }),
    { x, y },
    { count: batch * count * cols, taken: count * cols, period: n * cols, start: start * cols },
    { groups: Math.ceil((batch * count * cols) / FLAT_WG) },
  )
  return y
}

/**
 * Rows by index; an index beyond x gives a row of zeros.
 *
 * Shapes: x [N, C], indices u32 [R] -> [R, C].
 * Throws: ShapeError unless indices is u32 [R].
 */
export function gatherRows(enc: Encoder, x: Tensor, indices: Tensor): Tensor {
  const C = lastDim(x)
  const R = elementCount(indices.shape)
  expectShape('gather-rows: x', x, x.shape)
  expectShape('gather-rows: indices', indices, [R], 'u32')
  const y = enc.temp([R, C], 'f32', 'gather-rows')
  const { width, values } = vecOf(C)
  const cols = C / width
  enc.dispatch(
    gatherKernel.as({ ...values, WG: FLAT_WG }),
    { x, indices, y },
    { count: R * cols, cols, N: rowsOf(x) },
    { groups: Math.ceil((R * cols) / FLAT_WG) },
  )
  return y
}

/**
 * dLoss/dx of `gatherRows` from R rows: each row gets the sum over those that took it, in their order, or zeros.
 *
 * Shapes: dy [N, C], indices u32 [N] on the host -> dx [R, C]; indices beyond the rows count nowhere.
 * Throws: ShapeError unless there is an index for each row of dy.
 */
export function gatherRowsBackward(enc: Encoder, dy: Tensor, indices: Uint32Array, rows: number): Tensor {
  const C = lastDim(dy)
  expectShape('gather-rows-backward: dy', dy, [indices.length, C])
  const { offsets, takers } = takersOf(indices, rows)
  const dx = enc.temp([rows, C], 'f32', 'gather-rows dx')
  const { width, values } = vecOf(C)
  const cols = C / width
  enc.scope(() =>
    enc.dispatch(
      gatherBackwardKernel.as({ ...values, WG: FLAT_WG }),
      { dy, offsets: enc.constant(offsets), takers: enc.constant(takers), dx },
      { count: rows * cols, cols },
      { groups: Math.ceil((rows * cols) / FLAT_WG) },
    ),
  )
  return dx
}

/** Who took each row: positions in `indices` ordered by row, and where each row's begin. */
export function takersOf(indices: Uint32Array, rows: number) {
  const offsets = new Uint32Array(rows + 1)
  for (const row of indices) if (row < rows) offsets[row + 1]!++
  for (let row = 0; row < rows; row++) offsets[row + 1]! += offsets[row]!
  const next = offsets.slice()
  const takers = new Uint32Array(offsets[rows]!)
  for (const [n, row] of indices.entries()) if (row < rows) takers[next[row]!++] = n
  return { offsets, takers }
}
