import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import forward from './scale-add.wgsl?raw'

const kernel = defineKernel({
  name: 'scale-add',
  wgsl: forward,
  include: [vec],
  bindings: { x: 'read', residual: 'read', gamma: 'read', y: 'write' },
  params: { count: 'u32', cols: 'u32' },
})

/**
 * residual + gamma * x: the residual connection of a layer with layer scale.
 *
 * Shapes: x, residual [..., C], gamma [C] -> [..., C].
 * Throws: ShapeError unless they are.
 * Source: arXiv:2103.17239; `lambda1` of DINOv2, `gamma` of ConvNeXt.
 */
export function scaleAdd(enc: Encoder, x: Tensor, residual: Tensor, gamma: Tensor): Tensor {
  const C = lastDim(x)
  expectShape('scale-add: x', x, x.shape)
  expectShape('scale-add: residual', residual, x.shape)
  expectShape('scale-add: gamma', gamma, [C])
  const y = enc.temp(x.shape, 'f32', 'scale-add')
  const { width, values } = vecOf(C)
  const count = elementCount(x.shape) / width
  enc.dispatch(
    kernel.as({ ...values, WG: FLAT_WG }),
    { x, residual, gamma, y },
    { count, cols: C / width },
    { groups: Math.ceil(count / FLAT_WG) },
  )
  return y
}
