import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { rowLanes, vecOf } from '../vec'
import reduce from '../wgsl/reduce.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './softmax-backward.wgsl?raw'
import forward from './softmax.wgsl?raw'

const kernel = defineKernel({
  name: 'softmax',
  wgsl: forward,
  include: [vec, reduce],
  bindings: { x: 'read', y: 'write' },
  params: { rows: 'u32', cols: 'u32' },
})

const backwardKernel = defineKernel({
  name: 'softmax-backward',
  wgsl: backward,
  include: [vec, reduce],
  bindings: { dy: 'read', y: 'read', dx: 'write' },
  params: { rows: 'u32', cols: 'u32' },
})

function sizes(enc: Encoder, x: Tensor) {
  const { width, values } = vecOf(lastDim(x))
  const cols = lastDim(x) / width
  return { rows: rowsOf(x), cols, values: { ...values, WG: rowLanes(enc.gpu.caps, cols) } }
}

/**
 * Softmax over the last axis; -inf entries get 0, and so does a row of nothing else.
 *
 * Shapes: x [..., C] -> y [..., C].
 * Throws: ShapeError unless x is f32.
 * Source: arXiv:1805.02867.
 */
export function softmax(enc: Encoder, x: Tensor): Tensor {
  expectShape('softmax: x', x, x.shape)
  const { rows, cols, values } = sizes(enc, x)
  const y = enc.temp(x.shape, 'f32', 'softmax')
  enc.dispatch(kernel.as(values), { x, y }, { rows, cols }, { groups: rows })
  return y
}

/**
 * dLoss/dx from the forward output.
 *
 * Shapes: dy, y [..., C] -> dx [..., C].
 * Throws: ShapeError unless dy is as y.
 */
export function softmaxBackward(enc: Encoder, dy: Tensor, y: Tensor): Tensor {
  expectShape('softmax-backward: dy', dy, y.shape)
  const { rows, cols, values } = sizes(enc, y)
  const dx = enc.temp(y.shape, 'f32', 'softmax dx')
  enc.dispatch(backwardKernel.as(values), { dy, y, dx }, { rows, cols }, { groups: rows })
  return dx
}
