import {
  attentionBackwardRef,
  attentionRef,
  type AttentionDims,
} from '../../src/kernels/attention/attention.ref'
import { matmulBackwardRef, matmulRef } from '../../src/kernels/matmul/matmul.ref'
import { rmsNormBackwardRef, rmsNormRef } from '../../src/kernels/rms-norm/rms-norm.ref'
import { ropeRef } from '../../src/kernels/rope/rope.ref'
import { swigluBackwardRef, swigluRef } from '../../src/kernels/swiglu/swiglu.ref'
import type { Segment } from '../../src/model/language/definition'
import type { LayerSizes } from '../presets.mjs'
import type { HeldValues } from './weights'

/**
 * One decoder layer and the gradient of its input in float64.
 *
 * Shapes: x, dy [T, C] -> y, dx [T, C]; no sequence sees another.
 */
export async function trainLayerOracle(
  values: HeldValues,
  sizes: LayerSizes,
  frequencies: Float32Array,
  segments: readonly Segment[],
  x: Float32Array,
  dy: Float32Array,
): Promise<{ y: Float64Array; dx: Float64Array }> {
  const { hidden: C, heads: H, kvHeads: KV, headDim: D, mlp: F, rmsNormEps } = sizes
  const positions = segments.flatMap(({ count }) => Array.from({ length: count }, (_, t) => t))
  const project = async (name: string, rows: ArrayLike<number>, K: number, residual?: ArrayLike<number>) => {
    const bias = /[qkv]_proj/.test(name) && sizes.qkvBias ? await values.vector(`${name}.bias`) : undefined
    return matmulRef(rows, await values.matrix(`${name}.weight`), K, { bias, ...(residual && { residual }) })
  }
  const back = async (name: string, rows: ArrayLike<number>, K: number) =>
    matmulBackwardRef(rows, await values.matrix(`${name}.weight`), K)
  const turn = (rows: ArrayLike<number>, direction: 1 | -1) =>
    ropeRef(rows, frequencies, positions, D, 1, direction)

  const inputNorm = await values.vector('input_layernorm.weight')
  const postNorm = await values.vector('post_attention_layernorm.weight')
  const normed = rmsNormRef(x, inputNorm, rmsNormEps)
  const q = turn(await project('self_attn.q_proj', normed, C), 1)
  const k = turn(await project('self_attn.k_proj', normed, C), 1)
  const v = await project('self_attn.v_proj', normed, C)
  const eachSegment = (of: (cut: Cut, dims: AttentionDims) => ArrayLike<number>[], widths: number[]) => {
    const whole = widths.map((width) => new Float64Array(positions.length * width))
    for (const { start, count: T } of segments) {
      const causal = { position: 0, window: T }
      const dims = { B: 1, T, S: T, H, KV, D, scale: 1 / Math.sqrt(D), causal }
      const parts = of((rows, width) => rows.slice(start * width, (start + T) * width), dims)
      for (const [i, part] of parts.entries()) whole[i]!.set(Float64Array.from(part), start * widths[i]!)
    }
    return whole
  }
  const [attention] = eachSegment(
    (cut, dims) => [attentionRef(cut(q, H * D), cut(k, KV * D), cut(v, KV * D), dims)],
    [H * D],
  )
  const attended = await project('self_attn.o_proj', attention!, H * D, x)
  const after = rmsNormRef(attended, postNorm, rmsNormEps)
  const gate = await project('mlp.gate_proj', after, C)
  const up = await project('mlp.up_proj', after, C)
  const y = await project('mlp.down_proj', swigluRef(gate, up), F, attended)

  const { dGate, dUp } = swigluBackwardRef(await back('mlp.down_proj', dy, F), gate, up)
  const dAfter = plus(await back('mlp.gate_proj', dGate, C), await back('mlp.up_proj', dUp, C))
  const dAttended = plus(rmsNormBackwardRef(dAfter, attended, postNorm, rmsNormEps), dy)
  const dAttention = await back('self_attn.o_proj', dAttended, H * D)
  const [dq, dk, dv] = eachSegment(
    (cut, dims) => {
      const rows = [cut(dAttention, H * D), cut(q, H * D), cut(k, KV * D), cut(v, KV * D)] as const
      const gradients = attentionBackwardRef(...rows, dims)
      return [gradients.dq, gradients.dk, gradients.dv]
    },
    [H * D, KV * D, KV * D],
  )
  const dNormed = plus(
    await back('self_attn.q_proj', turn(dq!, -1), C),
    plus(await back('self_attn.k_proj', turn(dk!, -1), C), await back('self_attn.v_proj', dv!, C)),
  )
  return { y, dx: plus(rmsNormBackwardRef(dNormed, x, inputNorm, rmsNormEps), dAttended) }
}

/** Rows of a sequence. */
type Cut = (rows: Float64Array, width: number) => Float64Array

const plus = (a: ArrayLike<number>, b: ArrayLike<number>) => Float64Array.from(a, (value, i) => value + b[i]!)
