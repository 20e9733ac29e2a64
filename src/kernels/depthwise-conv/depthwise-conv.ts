import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import reorder from './depthwise-conv-taps.wgsl?raw'
import forward from './depthwise-conv.wgsl?raw'

const tapsKernel = defineKernel({
  name: 'depthwise-conv-taps',
  wgsl: reorder,
  bindings: { weight: 'read', taps: 'write' },
  params: { count: 'u32', C: 'u32', area: 'u32' },
})

const kernel = defineKernel({
  name: 'depthwise-conv',
  wgsl: forward,
  include: [vec],
  bindings: { x: 'read', taps: 'read', bias: 'read', y: 'write' },
  params: {
    start: 'u32',
    end: 'u32',
    cols: 'u32',
    height: 'u32',
    width: 'u32',
    strips: 'u32',
    kernel: 'u32',
  },
})

const WG = 64
/**
 * Outputs of a lane, as in the shader. Measured on two busy x86 cores with [64*64, 384] and K = 7: 1.8 GFLOP/s on lavapipe
 * and 0.5 on SwiftShader; with sums and inputs in arrays instead of named registers 1.5 to 2.5 and 0.15.
 */
const TILE = 4

export interface DepthwiseConvOptions {
  /** Maps that lie one after another in x. */
  readonly batch: number
  readonly height: number
  readonly width: number
  /** Side of the kernel, odd. */
  readonly kernel: number
}

/**
 * Convolves every channel of channel-last maps with a kernel of its own; stride 1, zero padding that keeps the size.
 *
 * Shapes: x [B*H*W, C], weight of C*K*K elements in the checkpoint's order [C, 1, K, K], bias [C] -> [B*H*W, C].
 * Throws: ShapeError unless they are and K is odd.
 * Source: torch.nn.Conv2d with groups = C and padding = (K - 1) / 2.
 */
export function depthwiseConv(
  enc: Encoder,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { batch, height, width, kernel: K }: DepthwiseConvOptions,
): Tensor {
  const C = lastDim(x)
  expectShape('depthwise-conv: x', x, [batch * height * width, C])
  if (!Number.isInteger(K) || K < 1 || K % 2 === 0) {
    throw new ShapeError(`depthwise-conv: the kernel's side should be odd but is ${K}; pad an even one`)
  }
  if (elementCount(weight.shape) !== C * K * K) {
    throw new ShapeError(
      `depthwise-conv: weight should be [${C}, 1, ${K}, ${K}] but is [${weight.shape.join(', ')}]`,
    )
  }
  expectShape('depthwise-conv: weight', weight, weight.shape)
  if (bias) expectShape('depthwise-conv: bias', bias, [C])

  const y = enc.temp(x.shape, 'f32', 'depthwise-conv')
  enc.scope(() => {
    const taps = enc.temp([K * K, C], 'f32', 'depthwise-conv taps')
    const count = C * K * K
    enc.dispatch(
      tapsKernel.as({ WG: FLAT_WG }),
      { weight, taps },
      { count, C, area: K * K },
      { groups: Math.ceil(count / FLAT_WG) },
    )
    const vecs = vecOf(C)
    const cols = C / vecs.width
    const strips = Math.ceil(width / TILE)
    const lanes = batch * height * strips * cols
    const laneFlops = 2 * K * K * TILE * vecs.width
    const most = Math.max(1, Math.floor(enc.gpu.caps.maxDispatchFlops / (laneFlops * WG))) * WG
    const variant = kernel.as({ ...vecs.values, K, HAS_BIAS: bias !== undefined, WG })
    for (let start = 0; start < lanes; start += most) {
      const end = Math.min(start + most, lanes)
      enc.dispatch(
        variant,
        { x, taps, bias: bias ?? taps, y },
        { start, end, cols, height, width, strips, kernel: K },
        { groups: Math.ceil((end - start) / WG), flops: (end - start) * laneFlops },
      )
    }
  })
  return y
}
