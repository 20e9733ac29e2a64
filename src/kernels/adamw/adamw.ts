import { ShapeError, TrilobiteError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import wgsl from './adamw.wgsl?raw'

const kernel = defineKernel({
  name: 'adamw',
  wgsl,
  include: [vec],
  bindings: { gradient: 'read', clip: 'read', weight: 'update', m: 'update', v: 'update' },
  params: {
    count: 'u32',
    cols: 'u32',
    stride: 'u32',
    keep: 'f32',
    step_size: 'f32',
    inverse_root2: 'f32',
    fresh1: 'f32',
    beta2: 'f32',
    fresh2: 'f32',
    eps: 'f32',
  },
})

/** One parameter with what belongs to it. */
export interface AdamwTensors {
  /**
   * Read and written: f32 as long as a gradient's row or longer, which is how a weight's padded rows look: the `data` of
   * a part of an f32 Weight (declared u32) is taken as it is.
   */
  readonly weight: Tensor
  readonly gradient: Tensor
  /** First moment, read and written; zeros before the first step. */
  readonly m: Tensor
  /** Second moment, likewise. */
  readonly v: Tensor
  /** What `gradientNorm` made. */
  readonly clip: Tensor
}

export interface AdamwOptions {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Decoupled; 0 for biases and norms. */
  readonly weightDecay: number
  /** Counted from 1: steps this parameter has been through, this one included. Skipped ones do not count. */
  readonly step: number
}

/**
 * One AdamW step of one parameter, in place. The gradient is scaled as `clip` says; where `clip` says that gradients are not
 * finite, nothing changes.
 *
 * Shapes: gradient, m, v f32 [..., C]; weight f32 or u32 [..., stride >= C] with as many rows; clip f32 [4].
 * Throws: ShapeError unless they are; TrilobiteError for a step before the first.
 * Source: arXiv:1711.05101, as torch.optim.AdamW.
 */
export function adamwStep(enc: Encoder, tensors: AdamwTensors, options: AdamwOptions): void {
  const { weight, gradient, m, v, clip } = tensors
  const { learningRate, beta1, beta2, epsilon, weightDecay, step } = options
  if (!(step >= 1)) throw new TrilobiteError(`adamw: steps should be counted from 1 but this one is ${step}`)
  const C = lastDim(gradient)
  const stride = lastDim(weight)
  expectShape('adamw: gradient', gradient, gradient.shape)
  expectShape('adamw: m', m, gradient.shape)
  expectShape('adamw: v', v, gradient.shape)
  expectShape('adamw: clip', clip, [4])
  const isWord = weight.dtype === 'f32' || weight.dtype === 'u32'
  if (!isWord || stride < C || rowsOf(weight) !== rowsOf(gradient)) {
    throw new ShapeError(
      `adamw: weight should be f32 with ${rowsOf(gradient)} rows of ${C} or more for its gradient [${gradient.shape.join(', ')}] ` +
        `but is ${weight.dtype} [${weight.shape.join(', ')}]`,
    )
  }
  const { width, values } = vecOf(stride % 4 === 0 ? C : 1)
  const count = elementCount(gradient.shape) / width
  const params = {
    count,
    cols: C / width,
    stride: stride / width,
    keep: 1 - learningRate * weightDecay,
    step_size: learningRate / (1 - beta1 ** step),
    inverse_root2: 1 / Math.sqrt(1 - beta2 ** step),
    fresh1: 1 - beta1,
    beta2,
    fresh2: 1 - beta2,
    eps: epsilon,
  }
  const groups = Math.ceil(count / FLAT_WG)
  enc.dispatch(kernel.as({ ...values, WG: FLAT_WG }), { gradient, clip, weight, m, v }, params, {
    groups,
    flops: 15 * count * width,
  })
}
