import { ACTIVATION_CODE, type GateActivation } from '../activation-kinds'
import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { bySharing, CHUNK, groupRuns, vectorForm } from '../vector-form'
import { WEIGHT_DTYPE_CODE, type Weight } from '../weight'
import activations from '../wgsl/activations.wgsl?raw'
import products from '../wgsl/chunk-products.wgsl?raw'
import chunks from '../wgsl/chunks.wgsl?raw'
import normedRow from '../wgsl/normed-row.wgsl?raw'
import weights from '../wgsl/weights.wgsl?raw'
import shader from './gated-matmul.wgsl?raw'

const kernels = bySharing((includes, sharing) =>
  defineKernel({
    name: `gated-matmul-${sharing}`,
    wgsl: shader,
    include: [activations, weights, chunks, products, normedRow, ...includes],
    bindings: {
      x: 'read',
      gain: 'read',
      gate: 'read',
      gate_scales: 'read',
      up: 'read',
      up_scales: 'read',
      y: 'update',
    },
    params: { K4: 'u32', rows: 'u32', col_start: 'u32', n_start: 'u32', eps: 'f32' },
  }),
)

export interface GatedMatmulOptions {
  /** Gain of the row's RMS norm, f32 [K]. */
  readonly gain: Tensor
  readonly eps: number
  /** What the gate goes through; default silu. */
  readonly kind?: GateActivation
}

/** Whether `gatedMatmul` takes these: one row, of a length that needs no padding, and weights that lie alike. */
export const gatedMatmulFits = (x: Tensor, gate: Weight, up: Weight): boolean =>
  rowsOf(x) === 1 &&
  gate.cols === gate.stride &&
  gate.dtype === up.dtype &&
  gate.parts.length === up.parts.length &&
  gate.parts.every((part, i) => part.rows === up.parts[i]!.rows)

/**
 * f(rmsNorm(x) Wgateᵀ) * (rmsNorm(x) Wupᵀ), as `rmsNorm`, two of `matmul` and `swiglu`.
 *
 * Shapes: x f32 [1, K], gain [K], gate and up [F, K] -> f32 [1, F].
 * Throws: ShapeError unless the shapes agree and `gatedMatmulFits`.
 * Source: arXiv:2002.05202.
 */
export function gatedMatmul(
  enc: Encoder,
  x: Tensor,
  gate: Weight,
  up: Weight,
  { gain, eps, kind = 'silu' }: GatedMatmulOptions,
): Tensor {
  const { rows: F, cols: K, stride, dtype } = gate
  const agree = up.rows === F && up.cols === K && lastDim(x) === K && x.dtype === 'f32'
  if (!agree || !gatedMatmulFits(x, gate, up)) {
    throw new ShapeError(
      `gated-matmul: x should be f32 [1, K] and both weights [F, K], held alike, with K a multiple of 32, but x is ` +
        `${x.dtype} [${x.shape.join(', ')}], ${gate.name} ${dtype} [${F}, ${K}] and ${up.name} ${up.dtype} ` +
        `[${up.rows}, ${up.cols}]; take rmsNorm, matmul and swiglu`,
    )
  }
  expectShape(`gated-matmul: gain for ${gate.name}`, gain, [K])
  const y = enc.temp([...x.shape.slice(0, -1), F], 'f32', gate.name)
  for (const [i, part] of gate.parts.entries()) {
    const upPart = up.parts[i]!
    const { sharing, constants, groupRows } = vectorForm(enc.gpu.caps, dtype, 2 * part.rows, 2)
    const variant = kernels[sharing].as({
      W_DTYPE: WEIGHT_DTYPE_CODE[dtype],
      ACTIVATION: ACTIVATION_CODE[kind],
      CHUNK: CHUNK[dtype],
      ...constants,
      QUADS: 2,
    })
    const tensors = {
      x,
      gain,
      gate: part.data,
      gate_scales: part.scales ?? part.data,
      up: upPart.data,
      up_scales: upPart.scales ?? upPart.data,
      y,
    }
    for (const run of groupRuns(Math.ceil(part.rows / groupRows), 4 * groupRows * stride, enc.gpu.caps)) {
      enc.dispatch(
        variant,
        tensors,
        { K4: stride / 4, rows: part.rows, col_start: part.rowStart, n_start: run.first * groupRows, eps },
        { groups: [run.count], flops: run.flops },
      )
    }
  }
  return y
}
