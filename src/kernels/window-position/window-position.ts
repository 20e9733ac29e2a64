import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './window-position-backward.wgsl?raw'
import forward from './window-position.wgsl?raw'

const kernel = defineKernel({
  name: 'window-position',
  wgsl: forward,
  include: [vec],
  bindings: { x: 'read', positions: 'read', y: 'write' },
  params: { count: 'u32', cols: 'u32', S: 'u32', r: 'u32' },
})

const backwardKernel = defineKernel({
  name: 'window-position-backward',
  wgsl: backward,
  include: [vec],
  bindings: { dy: 'read', dPositions: 'write' },
  params: { cols: 'u32', S: 'u32', r: 'u32', B: 'u32' },
})

/** Vecs of a workgroup's columns, and lanes that share the windows of one. */
const COLUMNS = 32
const SPLIT = 8

export interface WindowSizes {
  /** Side of a square map in cells, S. */
  readonly side: number
  /** Side of a square window in cells, r; divides the side. */
  readonly window: number
}

function mapsIn(op: string, what: string, x: Tensor, { side, window }: WindowSizes): number {
  expectShape(`${op}: ${what}`, x, [rowsOf(x), lastDim(x)])
  if (!(window > 0) || side % window !== 0) {
    throw new ShapeError(
      `${op}: windows should tile the map but their sides are ${window} and ${side}; resample it first`,
    )
  }
  if (rowsOf(x) % (side * side) !== 0) {
    throw new ShapeError(
      `${op}: ${what} should hold whole maps of ${side} x ${side} rows but has ${rowsOf(x)}`,
    )
  }
  return rowsOf(x) / (side * side)
}

/**
 * Adds to every window of square channel-last maps one embedding a cell.
 *
 * Shapes: x [B*S*S, C], positions [r*r, C] -> x + positions[(y % r)*r + x % r], [B*S*S, C].
 * Throws: ShapeError unless they are and r divides S.
 */
export function addWindowPositions(enc: Encoder, x: Tensor, positions: Tensor, sizes: WindowSizes): Tensor {
  mapsIn('window-position', 'x', x, sizes)
  const { side: S, window: r } = sizes
  const C = lastDim(x)
  expectShape('window-position: positions', positions, [r * r, C])
  const y = enc.temp(x.shape, 'f32', 'window-position')
  const { width, values } = vecOf(C)
  const cols = C / width
  const count = rowsOf(x) * cols
  enc.dispatch(
    kernel.as({ ...values, WG: FLAT_WG }),
    { x, positions, y },
    { count, cols, S, r },
    { groups: Math.ceil(count / FLAT_WG) },
  )
  return y
}

/**
 * dLoss/dpositions; dLoss/dx is dy itself. The sums run in a fixed order.
 *
 * Shapes: dy [B*S*S, C] -> dPositions [r*r, C].
 * Throws: ShapeError unless dy holds whole maps and r divides S.
 */
export function addWindowPositionsBackward(enc: Encoder, dy: Tensor, sizes: WindowSizes): Tensor {
  const B = mapsIn('window-position-backward', 'dy', dy, sizes)
  const { side: S, window: r } = sizes
  const C = lastDim(dy)
  const dPositions = enc.temp([r * r, C], 'f32', 'window-position dPositions')
  const { width, values } = vecOf(C)
  const cols = C / width
  enc.dispatch(
    backwardKernel.as({ ...values, COLUMNS, SPLIT }),
    { dy, dPositions },
    { cols, S, r, B },
    { groups: [Math.ceil(cols / COLUMNS), r * r] },
  )
  return dPositions
}
