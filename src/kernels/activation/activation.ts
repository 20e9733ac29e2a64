import { ACTIVATION_CODE, type Activation } from '../activation-kinds'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, type Tensor } from '../tensor'
import { FLAT_WG } from '../vec'
import activations from '../wgsl/activations.wgsl?raw'
import backward from './activation-backward.wgsl?raw'
import forward from './activation.wgsl?raw'

const kernel = defineKernel({
  name: 'activation',
  wgsl: forward,
  include: [activations],
  bindings: { x: 'read', y: 'write' },
  params: { quads: 'u32' },
})

const backwardKernel = defineKernel({
  name: 'activation-backward',
  wgsl: backward,
  include: [activations],
  bindings: { dy: 'read', x: 'read', dx: 'write' },
  params: { quads: 'u32' },
})

/**
 * An activation, element by element.
 *
 * Shapes: x [...] -> y [...].
 * Throws: ShapeError unless x is f32.
 */
export function activation(enc: Encoder, x: Tensor, kind: Activation): Tensor {
  expectShape('activation: x', x, x.shape)
  const y = enc.temp(x.shape, 'f32', kind)
  const quads = Math.ceil(elementCount(x.shape) / 4)
  enc.dispatch(
    kernel.as({ ACTIVATION: ACTIVATION_CODE[kind], WG: FLAT_WG }),
    { x, y },
    { quads },
    { groups: Math.ceil(quads / FLAT_WG) },
  )
  return y
}

/**
 * dLoss/dx; x is the forward input, before the activation.
 *
 * Shapes: dy, x [...] -> dx [...].
 * Throws: ShapeError unless dy is as x.
 */
export function activationBackward(enc: Encoder, dy: Tensor, x: Tensor, kind: Activation): Tensor {
  expectShape('activation-backward: dy', dy, x.shape)
  const dx = enc.temp(x.shape, 'f32', `${kind} dx`)
  const quads = Math.ceil(elementCount(x.shape) / 4)
  enc.dispatch(
    backwardKernel.as({ ACTIVATION: ACTIVATION_CODE[kind], WG: FLAT_WG }),
    { dy, x, dx },
    { quads },
    { groups: Math.ceil(quads / FLAT_WG) },
  )
  return dx
}
