import { ACTIVATION_CODE, type Activation } from '../activation-kinds'
import { broadcastLanes } from '../broadcast-lanes'
import { ShapeError } from '../errors'
import type { Gpu } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { WEIGHT_DTYPE_CODE, type Weight } from '../weight'
import activations from '../wgsl/activations.wgsl?raw'
import weights from '../wgsl/weights.wgsl?raw'
import forward from './mlp-projector.wgsl?raw'

const kernel = defineKernel({
  name: 'mlp-projector',
  wgsl: forward,
  include: [activations, weights],
  bindings: { x: 'read', w1: 'read', s1: 'read', b1: 'read', w2: 'read', s2: 'read', b2: 'read', y: 'write' },
  params: { R: 'u32', Cv: 'u32', F: 'u32', C: 'u32', X4: 'u32', H4: 'u32', row_start: 'u32' },
})

/** Rows of x a workgroup takes. */
const ROWS = 8
const LANES = 64
/** Workgroup memory of the kernel: what every device has. */
const TILE_BYTES = 16_384

/**
 * Whether the fused kernel takes these weights.
 *
 * It takes two weights of one dtype, each in one part, where eight rows of x and of hidden activations lie in workgroup
 * memory: strides of W1 and W2 of 512 together. Within that it is 2 to 3 times as fast as two tiled matmuls on lavapipe
 * and SwiftShader, for 16 to 1024 rows (f32 and f16, widths of 192 and of 64 to 448). Where matmuls spread their rows over
 * subgroups, two of them are faster.
 */
export function mlpProjectorFits(gpu: Gpu, w1: Weight, w2: Weight): boolean {
  return (
    broadcastLanes(gpu.caps) === undefined &&
    w1.dtype === w2.dtype &&
    w1.parts.length === 1 &&
    w2.parts.length === 1 &&
    4 * ROWS * (w1.stride + w2.stride) <= TILE_BYTES &&
    TILE_BYTES <= gpu.caps.maxWorkgroupBytes
  )
}

/**
 * The two-layer connector in one kernel: y = activation(x W1ᵀ + b1) W2ᵀ + b2. Undefined where it does not fit or two
 * matmuls are faster (`mlpProjectorFits`).
 *
 * Shapes: x f32 [..., Cv], w1 [F, Cv], b1 [F], w2 [C, F], b2 [C] -> y f32 [..., C].
 * Throws: ShapeError unless the shapes agree.
 * Source: arXiv:2310.03744 (mlp2x_gelu); Hugging Face's LlavaMultiModalProjector.
 */
export function mlpProjector(
  enc: Encoder,
  x: Tensor,
  w1: Weight,
  b1: Tensor | undefined,
  w2: Weight,
  b2: Tensor | undefined,
  activation: Activation,
): Tensor | undefined {
  const Cv = lastDim(x)
  const R = rowsOf(x)
  const F = w1.rows
  const C = w2.rows
  expectShape('mlp-projector: x', x, [...x.shape.slice(0, -1), w1.cols])
  if (w2.cols !== F) {
    throw new ShapeError(
      `mlp-projector: w2 should be [${C}, ${F}], as w1 has ${F} rows, but is [${C}, ${w2.cols}]`,
    )
  }
  if (b1) expectShape('mlp-projector: b1', b1, [F])
  if (b2) expectShape('mlp-projector: b2', b2, [C])
  if (!mlpProjectorFits(enc.gpu, w1, w2)) return undefined

  const part1 = w1.parts[0]!
  const part2 = w2.parts[0]!
  const y = enc.temp([...x.shape.slice(0, -1), C], 'f32', 'mlp-projector')
  const variant = kernel.as({
    ROWS,
    WG: LANES,
    W_DTYPE: WEIGHT_DTYPE_CODE[w1.dtype],
    ACTIVATION: ACTIVATION_CODE[activation],
    HAS_BIAS_1: b1 !== undefined,
    HAS_BIAS_2: b2 !== undefined,
  })
  const tensors = {
    x,
    w1: part1.data,
    s1: part1.scales ?? part1.data,
    b1: b1 ?? x,
    w2: part2.data,
    s2: part2.scales ?? part2.data,
    b2: b2 ?? x,
    y,
  }
  const groupFlops = 2 * ROWS * F * (w1.stride + C)
  const { maxDispatchFlops, maxWorkgroupsPerDimension } = enc.gpu.caps
  const all = Math.ceil(R / ROWS)
  const most = Math.min(maxWorkgroupsPerDimension, Math.max(1, Math.floor(maxDispatchFlops / groupFlops)))
  for (let start = 0; start < all; start += most) {
    const groups = Math.min(most, all - start)
    const params = { R, Cv, F, C, X4: w1.stride / 4, H4: w2.stride / 4, row_start: start * ROWS }
    enc.dispatch(variant, tensors, params, { groups, flops: groups * groupFlops })
  }
  return y
}
