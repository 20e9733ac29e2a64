import type { Encoder } from '../gpu/encoder'
import { ShapeError } from '../errors'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import sincos from '../wgsl/sincos.wgsl?raw'
import forward from './rope.wgsl?raw'

const WG = 64
const HEADS = 4

const kernel = defineKernel({
  name: 'rope',
  wgsl: forward,
  include: [sincos],
  bindings: { x: 'read', frequencies: 'read', positions: 'read', y: 'write' },
  params: { T: 'u32', H: 'u32', D: 'u32', R: 'u32', row: 'u32', start: 'u32', position: 'u32', scale: 'f32' },
})

export interface RopeOptions {
  readonly headDim: number
  /** Leading elements of a head that turn; the rest pass through. */
  readonly rotaryDim: number
  /** Radians a position, f32 [rotaryDim / 2]; `ropeFrequencies` makes them. */
  readonly frequencies: Tensor
  /** Position of row 0; rows follow one another. */
  readonly position: number
  /** Instead of `position`: u32 [T], each row's own position. */
  readonly positions?: Tensor
  /** Factor on cos and sin (longrope, yarn); default 1. */
  readonly scale?: number
  /** Heads are taken from this column on, as from a fused qkv row; default 0. */
  readonly start?: number
  /** Heads to take; default: all that fit. */
  readonly heads?: number
}

/**
 * Rotary position embedding of every head, half-rotation form.
 *
 * Shapes: x [T, W], of it columns start .. start + H*D -> y [T, H*D].
 * Throws: ShapeError when heads, rotary part or frequencies do not fit together.
 * Source: arXiv:2104.09864; the order of operations is that of Hugging Face's LlamaRotaryEmbedding.
 */
export function rope(enc: Encoder, x: Tensor, options: RopeOptions): Tensor {
  return turn(enc, 'rope', x, options, 1)
}

/**
 * dLoss/dx of `rope` with the same options: the transposed rotation.
 *
 * Shapes: dy [T, H*D] -> dx [T, H*D].
 */
export function ropeBackward(
  enc: Encoder,
  dy: Tensor,
  options: Omit<RopeOptions, 'start' | 'heads'>,
): Tensor {
  return turn(enc, 'rope-backward', dy, { ...options, start: 0, heads: undefined }, -1)
}

function turn(
  enc: Encoder,
  op: string,
  x: Tensor,
  options: Omit<RopeOptions, 'heads'> & { readonly heads?: number | undefined },
  direction: 1 | -1,
): Tensor {
  const { headDim: D, rotaryDim: R, frequencies, positions, start = 0 } = options
  const row = lastDim(x)
  const T = rowsOf(x)
  const H = options.heads ?? Math.floor((row - start) / D)
  if (R % 2 || R > D || R < 2) {
    throw new ShapeError(`${op}: rotaryDim should be even and from 2 to headDim ${D} but is ${R}`)
  }
  const fits = options.heads === undefined ? start + H * D === row : start + H * D <= row
  if (!fits || H < 1) {
    throw new ShapeError(`${op}: x has rows of ${row}, from ${start} on that is not ${H} whole heads of ${D}`)
  }
  expectShape(`${op}: frequencies`, frequencies, [R / 2])
  if (positions) expectShape(`${op}: positions`, positions, [T], 'u32')

  const y = enc.temp([...x.shape.slice(0, -1), H * D], 'f32', op)
  const variant = kernel.as({ WG, HEADS, DIRECTION: direction, HAS_POSITIONS: positions !== undefined })
  const invocations = T * Math.ceil(H / HEADS) * (D - R / 2)
  enc.dispatch(
    variant,
    { x, frequencies, positions: positions ?? frequencies, y },
    { T, H, D, R, row, start, position: options.position, scale: options.scale ?? 1 },
    { groups: Math.ceil(invocations / WG) },
  )
  return y
}
