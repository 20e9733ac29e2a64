import {
  concatColumns,
  normMatmulFits,
  rmsNorm,
  rope,
  ropeBackward,
  sliceColumns,
  type Encoder,
  type HeadColumns,
  type RowNorm,
  type Tensor,
} from '../../kernels'
import type { Weights } from '../parameters'
import type { DecoderBlockConfig } from './decoder-block'
import { Linear } from './linear'

/** How rows are turned: by their place in the conversation. */
export interface Rotation {
  /** Position of the first row; rows follow one another. */
  readonly position: number
  /** Instead of `position`: u32 [T], each row's own. */
  readonly positions?: Tensor
  /** f32 [rotary / 2]. */
  readonly frequencies: Tensor
  readonly rotaryDim: number
  /** Factor on cos and sin (longrope). */
  readonly ropeScale: number
}

/** Projections of the normed rows; values may lie inside fused rows, from a column on. */
export interface Projected {
  /** Rotated, [T, H*D]. */
  readonly q: Tensor
  /** Rotated, [T, KV*D]. */
  readonly k: Tensor
  readonly v: Tensor
  readonly vStart: number
}

/** Queries, keys and values as they are before the first two are rotated. */
export interface Unturned {
  readonly q: HeadColumns
  readonly k: HeadColumns
  readonly v: HeadColumns
}

/** Gradients by the rotated queries and keys, and by the values. */
export interface ProjectedGradients {
  readonly dq: Tensor
  readonly dk: Tensor
  readonly dv: Tensor
}

/** Queries, keys and values of a decoder block, the first two rotated. */
export interface Qkv {
  /** Of the rows' RMS norm. Shapes: x [T, C] -> heads within rows [T, any]. */
  project(enc: Encoder, x: Tensor, norm: RowNorm): Unturned
  /** Shapes: normed [T, C] -> q [T, H*D], k [T, KV*D], v [T, KV*D] from `vStart` on. */
  forward(enc: Encoder, normed: Tensor, rotation: Rotation): Projected
  /** dLoss/dnormed. Shapes: dq [T, H*D], dk and dv [T, KV*D] -> [T, C]. */
  backward(enc: Encoder, gradients: ProjectedGradients, rotation: Rotation): Tensor
}

export const qkvOf = (config: DecoderBlockConfig, attn: Weights): Qkv =>
  config.fusedProjections ? fusedQkv(config, attn) : separateQkv(config, attn)

/** What `rope` needs to turn heads of a projection, which start at a column of its rows. */
const turned = (config: DecoderBlockConfig, rotation: Rotation, start: number, heads: number) => ({
  ...turnedBack(config, rotation),
  start,
  heads,
})

const turnedBack = (
  { headDim }: DecoderBlockConfig,
  { position, positions, frequencies, rotaryDim, ropeScale }: Rotation,
) => ({
  headDim,
  rotaryDim,
  position,
  frequencies,
  scale: ropeScale,
  ...(positions && { positions }),
})

function separateQkv(config: DecoderBlockConfig, attn: Weights): Qkv {
  const { heads, kvHeads } = config
  const q = Linear.at(attn.at('q_proj'))
  const k = Linear.at(attn.at('k_proj'))
  const v = Linear.at(attn.at('v_proj'))
  const whole = wholeQkv(config, attn)
  return {
    project(enc, x, norm) {
      if (whole) return whole(enc, x, norm)
      const normed = normMatmulFits(enc.gpu.caps, x, q.weight)
        ? undefined
        : rmsNorm(enc, x, norm.gain, norm.eps)
      const part = (linear: Linear) => ({
        rows: normed ? linear.forward(enc, normed) : linear.forwardNormed(enc, x, norm),
        start: 0,
      })
      return { q: part(q), k: part(k), v: part(v) }
    },
    forward: (enc, normed, rotation) => ({
      q: rope(enc, q.forward(enc, normed), turned(config, rotation, 0, heads)),
      k: rope(enc, k.forward(enc, normed), turned(config, rotation, 0, kvHeads)),
      v: v.forward(enc, normed),
      vStart: 0,
    }),
    backward: (enc, { dq, dk, dv }, rotation) =>
      enc.scope(() => {
        const back = turnedBack(config, rotation)
        const dNormed = v.backward(enc, dv)
        k.backward(enc, ropeBackward(enc, dk, back), dNormed)
        return q.backward(enc, ropeBackward(enc, dq, back), dNormed)
      }),
  }
}

function fusedQkv(config: DecoderBlockConfig, attn: Weights): Qkv {
  const { heads, kvHeads, headDim } = config
  const qkv = Linear.at(attn.at('qkv_proj'))
  const kStart = heads * headDim
  return {
    project: wholeProjection(config, qkv),
    forward(enc, normed, rotation) {
      const rows = qkv.forward(enc, normed)
      return {
        q: rope(enc, rows, turned(config, rotation, 0, heads)),
        k: rope(enc, rows, turned(config, rotation, kStart, kvHeads)),
        v: rows,
        vStart: kStart + kvHeads * headDim,
      }
    },
    backward: (enc, { dq, dk, dv }, rotation) =>
      enc.scope(() => {
        const back = turnedBack(config, rotation)
        const parts = [ropeBackward(enc, dq, back), ropeBackward(enc, dk, back), dv]
        return qkv.backward(enc, concatColumns(enc, parts))
      }),
  }
}

/** Projection by one matrix whose rows are those of q, k and v in that order. */
const wholeProjection =
  ({ heads, kvHeads, headDim }: DecoderBlockConfig, qkv: Linear): Qkv['project'] =>
  (enc, x, norm) => {
    const rows = qkv.forwardNormed(enc, x, norm)
    const kStart = heads * headDim
    return {
      q: { rows, start: 0 },
      k: { rows, start: kStart },
      v: { rows, start: kStart + kvHeads * headDim },
    }
  }

/** Separate matrices lie in one piece where their sizes allow it (`decoderBlockSpecs`). */
function wholeQkv(config: DecoderBlockConfig, attn: Weights): Qkv['project'] | undefined {
  const weight = attn.optionalMatrix('qkv_proj.weight')
  const bias = attn.optionalVector('qkv_proj.bias')
  if (!weight || (config.qkvBias && !bias)) return undefined
  return wholeProjection(config, new Linear(weight, bias))
}

/** Values in rows of their own. Shapes: -> [T, KV*D]. */
export const valuesOf = (
  enc: Encoder,
  { v, vStart }: Projected,
  { kvHeads, headDim }: DecoderBlockConfig,
): Tensor =>
  v.shape[1] === kvHeads * headDim ? v : sliceColumns(enc, v, { start: vStart, count: kvHeads * headDim })
