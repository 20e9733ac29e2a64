import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './resample-backward.wgsl?raw'
import bicubic from './resample-bicubic.wgsl?raw'
import bilinear from './resample-bilinear.wgsl?raw'

const bindings = { x: 'read', y: 'write' } as const
const params = {
  count: 'u32',
  cols: 'u32',
  place: 'u32',
  row: 'u32',
  stride: 'u32',
  column: 'u32',
  from_h: 'u32',
  from_w: 'u32',
  to_h: 'u32',
  to_w: 'u32',
  step_y: 'f32',
  step_x: 'f32',
} as const

const kernels = {
  bilinear: defineKernel({ name: 'resample-bilinear', wgsl: bilinear, include: [vec], bindings, params }),
  bicubic: defineKernel({ name: 'resample-bicubic', wgsl: bicubic, include: [vec], bindings, params }),
}

const backwardKernel = defineKernel({
  name: 'resample-backward',
  wgsl: backward,
  include: [vec],
  bindings: { dy: 'read', dx: 'write' },
  params: {
    count: 'u32',
    cols: 'u32',
    row: 'u32',
    from_h: 'u32',
    from_w: 'u32',
    to_h: 'u32',
    to_w: 'u32',
    step_y: 'f32',
    step_x: 'f32',
  },
})

export interface GridSize {
  readonly height: number
  readonly width: number
}

export interface ResampleGrids {
  /** Maps that lie one after another in x; 1 unless given. */
  readonly batch?: number | undefined
  readonly from: GridSize
  readonly to: GridSize
  /**
   * Source cells a new cell is wide. Unless given: from / to, which is what torch takes for `size`; for `scale_factor` it
   * takes 1 / scale_factor.
   */
  readonly step?: { readonly y: number; readonly x: number } | undefined
}

export interface ResampleOptions extends ResampleGrids {
  readonly mode: 'bilinear' | 'bicubic'
  /** Makes only these rows of the new maps [B*to.height*to.width, C]. */
  readonly rows?: { readonly start: number; readonly count: number } | undefined
  /** Writes the C columns from `column` on into this tensor [R, W] in place of a new one. */
  readonly into?: { readonly tensor: Tensor; readonly column: number } | undefined
}

/** Sizes checked, and the params that describe the grids. */
function grids(op: string, { batch = 1, from, to, step }: ResampleGrids) {
  const sides = [batch, from.height, from.width, to.height, to.width]
  const y = step?.y ?? from.height / to.height
  const x = step?.x ?? from.width / to.width
  if (!sides.every((side) => Number.isInteger(side) && side > 0) || !(y > 0 && x > 0)) {
    throw new ShapeError(
      `${op}: batch, sides and steps should be above 0 but are ${batch}, ${from.height} x ${from.width} to ` +
        `${to.height} x ${to.width}, ${y} and ${x}`,
    )
  }
  return {
    rowsFrom: batch * from.height * from.width,
    rowsTo: batch * to.height * to.width,
    params: {
      from_h: from.height,
      from_w: from.width,
      to_h: to.height,
      to_w: to.width,
      step_y: y,
      step_x: x,
    },
  }
}

/**
 * Resamples channel-last maps to another size; half-pixel centres, no antialiasing.
 *
 * Shapes: x [B*from.height*from.width, C] -> [B*to.height*to.width, C], of it `rows`; or `into.tensor` [rows, W].
 * Throws: ShapeError unless x has those rows and the rows and columns asked for exist.
 * Source: torch.nn.functional.interpolate(align_corners=False, antialias=False).
 */
export function resampleRows(enc: Encoder, x: Tensor, options: ResampleOptions): Tensor {
  const C = lastDim(x)
  const { rowsFrom, rowsTo, params } = grids('resample', options)
  const { mode, rows: { start, count } = { start: 0, count: rowsTo }, into } = options
  expectShape('resample: x', x, [rowsFrom, C])
  if (start < 0 || count < 0 || start + count > rowsTo) {
    throw new ShapeError(
      `resample: rows ${start} to ${start + count} should lie within the ${rowsTo} of the new maps; choose another range`,
    )
  }
  const W = into ? lastDim(into.tensor) : C
  const column = into?.column ?? 0
  if (into) {
    expectShape('resample: into', into.tensor, [count, W])
    if (column < 0 || column + C > W) {
      throw new ShapeError(
        `resample: columns ${column} to ${column + C} should lie within the ${W} of the tensor written into`,
      )
    }
  }
  const y = into?.tensor ?? enc.temp([count, C], 'f32', `resample ${mode}`)
  // Every one of the three is a multiple of 4 where their bits together are.
  const { width, values } = vecOf(C | W | column)
  const variant = kernels[mode].as({ ...values, WG: FLAT_WG })
  const common = { ...params, cols: C / width, stride: W / width, column: column / width }
  const rowFlops = 2 * (mode === 'bilinear' ? 4 : 16) * C
  for (const { row, rows } of cut(enc, count, rowFlops)) {
    const lanes = rows * common.cols
    enc.dispatch(
      variant,
      { x, y },
      { ...common, count: lanes, place: start + row, row },
      { groups: Math.ceil(lanes / FLAT_WG), flops: rows * rowFlops },
    )
  }
  return y
}

/**
 * dLoss/dx of bilinear resampling, whole maps. The sums run in a fixed order.
 *
 * Shapes: dy [B*to.height*to.width, C] -> dx [B*from.height*from.width, C].
 * Throws: ShapeError unless dy has those rows.
 */
export function resampleRowsBackward(enc: Encoder, dy: Tensor, options: ResampleGrids): Tensor {
  const C = lastDim(dy)
  const { rowsFrom, rowsTo, params } = grids('resample-backward', options)
  expectShape('resample-backward: dy', dy, [rowsTo, C])
  const dx = enc.temp([rowsFrom, C], 'f32', 'resample dx')
  const { width, values } = vecOf(C)
  const cols = C / width
  const variant = backwardKernel.as({ ...values, WG: FLAT_WG })
  // An input is read by the outputs within 1 of it, which the kernel looks for a little further.
  const rowFlops = 2 * C * (2 / params.step_y + 3) * (2 / params.step_x + 3)
  for (const { row, rows } of cut(enc, rowsFrom, rowFlops)) {
    enc.dispatch(
      variant,
      { dy, dx },
      { ...params, cols, row, count: rows * cols },
      { groups: Math.ceil((rows * cols) / FLAT_WG), flops: rows * rowFlops },
    )
  }
  return dx
}

/** Cuts rows into dispatches short enough for the device. */
function* cut(enc: Encoder, count: number, rowFlops: number) {
  const most = Math.max(1, Math.floor(enc.gpu.caps.maxDispatchFlops / rowFlops))
  for (let row = 0; row < count; row += most) yield { row, rows: Math.min(most, count - row) }
}
