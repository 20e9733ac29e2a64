import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { rowLanes, vecOf } from '../vec'
import reduce from '../wgsl/reduce.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import shader from './add-rms-norm.wgsl?raw'

const kernel = defineKernel({
  name: 'add-rms-norm',
  wgsl: shader,
  include: [vec, reduce],
  bindings: { x: 'update', y: 'read', weight: 'read', norm: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
})

/**
 * Adds a block's output to the residual stream in place and normalises the sum for the next block: one dispatch
 * instead of two, and one read of the stream less.
 *
 * Shapes: x [..., C] (updated: x += y), y [..., C], weight [C] -> rmsNorm(x) [..., C].
 * Throws: ShapeError unless y is as x and weight is [C].
 * Source: arXiv:1910.07467; same order of operations as add and rms-norm one after the other.
 */
export function addRmsNorm(enc: Encoder, x: Tensor, y: Tensor, weight: Tensor, eps: number): Tensor {
  const C = lastDim(x)
  const rows = rowsOf(x)
  expectShape('add-rms-norm: y', y, x.shape)
  expectShape('add-rms-norm: weight', weight, [C])
  const { width, values } = vecOf(C)
  const cols = C / width
  const norm = enc.temp(x.shape, 'f32', 'add-rms-norm')
  enc.dispatch(
    kernel.as({ ...values, WG: rowLanes(enc.gpu.caps, cols) }),
    { x, y, weight, norm },
    { rows, cols, eps },
    { groups: rows },
  )
  return norm
}
