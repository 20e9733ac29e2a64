import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { elementCount, expectShape, lastDim, type Tensor } from '../tensor'
import { vecOf } from '../vec'
import type { ValidBand } from './letterbox'

/** Keys and values of one vision tower's map. */
export interface SvaTower {
  /** [side*side, H*D], row-major over the map. */
  readonly k: Tensor
  /** [side*side, H*D]. */
  readonly v: Tensor
  /** Cells along each side of the map: a multiple of the query grid's. */
  readonly side: number
  /**
   * The cells that count, at the map's own resolution; default: all. A window without one counts as a whole, for the
   * softmax must be over something.
   */
  readonly valid?: ValidBand | undefined
}

export interface SvaOptions {
  readonly heads: number
  /** Cells along each side of the query grid. */
  readonly side: number
  /** u32 [N]: y * side + x of each query, all different; default: query i is cell i and N is side*side. */
  readonly cells?: Tensor | undefined
  /** Factor on the scores; default 1 / sqrt(headDim). */
  readonly scale?: number | undefined
}

/** A call in the kernels' own terms. */
export interface SvaCall {
  /** Queries. */
  readonly N: number
  readonly H: number
  readonly D: number
  readonly side: number
  readonly scale: number
}

/** Throws: ShapeError, under the name `op`, when q, cells and the towers do not fit together. */
export function svaCall(
  op: string,
  q: Tensor,
  towers: readonly SvaTower[],
  { heads: H, side, cells, scale }: SvaOptions,
): SvaCall {
  const N = cells ? elementCount(cells.shape) : side * side
  const row = lastDim(q)
  const D = row / H
  if (!Number.isInteger(D)) {
    throw new ShapeError(`${op}: rows of q should divide into ${H} heads but have ${row} elements`)
  }
  expectShape(`${op}: q`, q, [N, row])
  if (cells) expectShape(`${op}: cells`, cells, [N], 'u32')
  if (towers.length === 0) throw new ShapeError(`${op}: at least one tower was expected, none came`)
  towers.forEach(({ k, v, side: S, valid }, index) => {
    if (!(S > 0) || S % side !== 0) {
      throw new ShapeError(
        `${op}: the map of tower ${index} should have a multiple of ${side} cells a side but has ${S}`,
      )
    }
    expectShape(`${op}: keys of tower ${index}`, k, [S * S, row])
    expectShape(`${op}: values of tower ${index}`, v, [S * S, row])
    if (valid && !(valid.from >= 0 && valid.to <= S)) {
      throw new ShapeError(
        `${op}: valid ${valid.axis} of tower ${index} should lie in 0..${S} but are ${valid.from}..${valid.to}`,
      )
    }
  })
  return { N, H, D, side, scale: scale ?? 1 / Math.sqrt(D) }
}

/** The part of Params that window.wgsl reads. */
export const WINDOW_PARAMS = {
  side: 'u32',
  reduce: 'u32',
  row_from: 'u32',
  row_to: 'u32',
  col_from: 'u32',
  col_to: 'u32',
} as const

const WG = 64

/** Lanes, widths and params of one tower's dispatch; `quads` times four sums go through a reduction at once. */
export function svaForm(enc: Encoder, { H, D, side, scale }: SvaCall, tower: SvaTower, quads?: number) {
  const { width, values } = vecOf(D)
  const cols = D / width
  // CPU adapters run lanes one after another and pay for barriers; GPUs want neighbours to load neighbours.
  let LANES = 1
  if (!enc.gpu.caps.isSoftware) while (LANES < cols && LANES < 32) LANES *= 2
  const reduce = tower.side / side
  // Chunks are unrolled, and compiling grows faster than they: lavapipe took 6 to 9 times as long for 16 keys as for 8.
  const QUADS = quads ?? (enc.gpu.caps.isSoftware || reduce <= 2 ? 1 : 2)
  const { axis, from, to } = tower.valid ?? { axis: 'rows', from: 0, to: tower.side }
  const [rowFrom, rowTo] = axis === 'rows' ? [from, to] : [0, tower.side]
  const [colFrom, colTo] = axis === 'rows' ? [0, tower.side] : [from, to]
  return {
    values: { ...values, LANES, QUADS, WG },
    /** Groups of lanes in a workgroup. */
    perWorkgroup: WG / LANES,
    params: {
      heads: H,
      cols,
      side,
      reduce,
      row_from: rowFrom,
      row_to: rowTo,
      col_from: colFrom,
      col_to: colTo,
      scale,
    },
  }
}

/** Cuts `count` items of `flopsEach`, of which a workgroup takes `perWorkgroup`, into dispatches within the limit. */
export function dispatchRanges(
  enc: Encoder,
  { count, perWorkgroup, flopsEach }: { count: number; perWorkgroup: number; flopsEach: number },
  dispatch: (range: { start: number; end: number }, options: { groups: number; flops: number }) => void,
): void {
  const workgroups = Math.max(1, Math.floor(enc.gpu.caps.maxDispatchFlops / (flopsEach * perWorkgroup)))
  const step = workgroups * perWorkgroup
  for (let start = 0; start < count; start += step) {
    const end = Math.min(start + step, count)
    dispatch(
      { start, end },
      { groups: Math.ceil((end - start) / perWorkgroup), flops: flopsEach * (end - start) },
    )
  }
}
