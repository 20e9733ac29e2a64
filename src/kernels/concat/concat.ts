import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import copy from './copy-columns.wgsl?raw'

const kernel = defineKernel({
  name: 'copy-columns',
  wgsl: copy,
  include: [vec],
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', cols: 'u32', x_stride: 'u32', x_start: 'u32', y_stride: 'u32', y_start: 'u32' },
})

/** Copies `columns` columns of R rows; `repeat` takes x's only row for all of them. */
function copyColumns(
  enc: Encoder,
  [x, xStart]: readonly [Tensor, number],
  [y, yStart]: readonly [Tensor, number],
  columns: number,
  repeat = false,
): void {
  const X = lastDim(x)
  const Y = lastDim(y)
  // All are multiples of 4 where their bits together are.
  const { width, values } = vecOf(X | Y | xStart | yStart | columns)
  const cols = columns / width
  const count = rowsOf(y) * cols
  enc.dispatch(
    kernel.as({ ...values, WG: FLAT_WG }),
    { x, y },
    {
      count,
      cols,
      x_stride: repeat ? 0 : X / width,
      x_start: xStart / width,
      y_stride: Y / width,
      y_start: yStart / width,
    },
    { groups: Math.ceil(count / FLAT_WG) },
  )
}

/**
 * Tensors side by side; a part of one row stands beside every row of the others.
 *
 * Shapes: parts [R, C_i] or [1, C_i] -> [R, sum of C_i].
 * Throws: ShapeError unless there is a part and all that have more than one row have equally many.
 */
export function concatColumns(enc: Encoder, parts: readonly Tensor[]): Tensor {
  const R = parts.reduce((most, part) => Math.max(most, rowsOf(part)), 0)
  if (!parts.length || parts.some((part) => rowsOf(part) !== R && rowsOf(part) !== 1)) {
    throw new ShapeError(
      'concat-columns: parts should have equally many rows, or one, but are ' +
        (parts.map((part) => `[${part.shape.join(', ')}]`).join(', ') || 'none'),
    )
  }
  for (const [i, part] of parts.entries()) expectShape(`concat-columns: part ${i}`, part, part.shape)
  const y = enc.temp([R, parts.reduce((sum, part) => sum + lastDim(part), 0)], 'f32', 'concat-columns')
  let column = 0
  for (const part of parts) {
    const C = lastDim(part)
    copyColumns(enc, [part, 0], [y, column], C, rowsOf(part) === 1)
    column += C
  }
  return y
}

/**
 * Some columns of every row: one part of what `concatColumns` joined, and that part's gradient.
 *
 * A part of one row was repeated: `columnSums` of the slice is its gradient.
 * Shapes: x [R, C] -> [R, count].
 * Throws: ShapeError unless x has the columns.
 */
export function sliceColumns(
  enc: Encoder,
  x: Tensor,
  { start, count }: { readonly start: number; readonly count: number },
): Tensor {
  const C = lastDim(x)
  expectShape('slice-columns: x', x, x.shape)
  if (start < 0 || count < 0 || start + count > C) {
    throw new ShapeError(
      `slice-columns: columns ${start} to ${start + count} should lie within the ${C} of x; choose another range`,
    )
  }
  const y = enc.temp([rowsOf(x), count], 'f32', 'slice-columns')
  copyColumns(enc, [x, start], [y, 0], count)
  return y
}
