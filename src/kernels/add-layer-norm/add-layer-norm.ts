import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { rowLanes, vecOf } from '../vec'
import reduce from '../wgsl/reduce.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import shader from './add-layer-norm.wgsl?raw'

const kernel = defineKernel({
  name: 'add-layer-norm',
  wgsl: shader,
  include: [vec, reduce],
  bindings: { x: 'update', y: 'read', weight: 'read', bias: 'read', norm: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
})

/**
 * Adds a block's output to the residual stream in place and normalises the sum for the next block: one dispatch
 * instead of two, and one read of the stream less.
 *
 * Shapes: x [..., C] (updated: x += y), y [..., C], weight [C], bias [C] -> layerNorm(x) [..., C].
 * Throws: ShapeError unless y is as x and weight and bias are [C].
 * Source: arXiv:1607.06450; same order of operations as add and layer-norm one after the other.
 */
export function addLayerNorm(
  enc: Encoder,
  x: Tensor,
  y: Tensor,
  weight: Tensor,
  bias: Tensor,
  eps: number,
): Tensor {
  const C = lastDim(x)
  const rows = rowsOf(x)
  expectShape('add-layer-norm: y', y, x.shape)
  expectShape('add-layer-norm: weight', weight, [C])
  expectShape('add-layer-norm: bias', bias, [C])
  const { width, values } = vecOf(C)
  const cols = C / width
  const norm = enc.temp(x.shape, 'f32', 'add-layer-norm')
  enc.dispatch(
    kernel.as({ ...values, WG: rowLanes(enc.gpu.caps, cols) }),
    { x, y, weight, bias, norm },
    { rows, cols, eps },
    { groups: rows },
  )
  return norm
}
