import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { rowLanes, vecOf } from '../vec'
import reduceVec from '../wgsl/reduce-vec.wgsl?raw'
import reduce from '../wgsl/reduce.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './rms-norm-backward.wgsl?raw'
import forward from './rms-norm.wgsl?raw'

const kernel = defineKernel({
  name: 'rms-norm',
  wgsl: forward,
  include: [vec, reduce],
  bindings: { x: 'read', weight: 'read', y: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
})

const backwardKernel = defineKernel({
  name: 'rms-norm-backward',
  wgsl: backward,
  include: [vec, reduce, reduceVec],
  bindings: { dy: 'read', x: 'read', weight: 'read', dx: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
})

function sizes(enc: Encoder, x: Tensor) {
  const C = lastDim(x)
  const { width, values } = vecOf(C)
  const cols = C / width
  return { C, rows: rowsOf(x), cols, values: { ...values, WG: rowLanes(enc.gpu.caps, cols) } }
}

/**
 * Root-mean-square norm over the last axis.
 *
 * Shapes: x [..., C], weight [C] -> y [..., C].
 * Throws: ShapeError unless weight is [C].
 * Source: arXiv:1910.07467; same order of operations as Hugging Face's LlamaRMSNorm.
 */
export function rmsNorm(enc: Encoder, x: Tensor, weight: Tensor, eps: number): Tensor {
  const { C, rows, cols, values } = sizes(enc, x)
  expectShape('rms-norm: weight', weight, [C])
  const y = enc.temp(x.shape, 'f32', 'rms-norm')
  enc.dispatch(kernel.as(values), { x, weight, y }, { rows, cols, eps }, { groups: rows })
  return y
}

/** dLoss/dx. The gain is frozen in every recipe, so its gradient is not computed. */
export function rmsNormBackward(enc: Encoder, dy: Tensor, x: Tensor, weight: Tensor, eps: number): Tensor {
  const { C, rows, cols, values } = sizes(enc, x)
  expectShape('rms-norm-backward: weight', weight, [C])
  const dx = enc.temp(x.shape, 'f32', 'rms-norm dx')
  enc.dispatch(backwardKernel.as(values), { dy, x, weight, dx }, { rows, cols, eps }, { groups: rows })
  return dx
}
