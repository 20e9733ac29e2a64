import { ACTIVATION_CODE, type GateActivation } from '../activation-kinds'
import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import gates from '../wgsl/gates.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './swiglu-backward.wgsl?raw'
import packedBackward from './swiglu-packed-backward.wgsl?raw'
import packed from './swiglu-packed.wgsl?raw'
import forward from './swiglu.wgsl?raw'

const kernel = defineKernel({
  name: 'swiglu',
  wgsl: forward,
  include: [vec, gates],
  bindings: { gate: 'read', up: 'read', y: 'write' },
  params: { count: 'u32' },
})

const backwardKernel = defineKernel({
  name: 'swiglu-backward',
  wgsl: backward,
  include: [vec, gates],
  bindings: { dy: 'read', gate: 'read', up: 'read', dGate: 'write', dUp: 'write' },
  params: { count: 'u32' },
})

const packedKernel = defineKernel({
  name: 'swiglu-packed',
  wgsl: packed,
  include: [vec, gates],
  bindings: { gateUp: 'read', y: 'write' },
  params: { count: 'u32', cols: 'u32' },
})

const packedBackwardKernel = defineKernel({
  name: 'swiglu-packed-backward',
  wgsl: packedBackward,
  include: [vec, gates],
  bindings: { dy: 'read', gateUp: 'read', dGateUp: 'write' },
  params: { count: 'u32', cols: 'u32' },
})

/** Vecs along an axis and over a tensor, and the constants all four kernels take. */
function sizes(length: number, shape: readonly number[], kind: GateActivation) {
  const { width, values } = vecOf(length)
  const count = elementCount(shape) / width
  return {
    values: { ...values, GATE: ACTIVATION_CODE[kind], WG: FLAT_WG },
    count,
    cols: length / width,
    grid: { groups: Math.ceil(count / FLAT_WG) },
  }
}

/**
 * f(gate) * up.
 *
 * Shapes: gate, up [...] -> [...].
 * Throws: ShapeError unless they are alike.
 * Source: arXiv:2002.05202.
 */
export function swiglu(enc: Encoder, gate: Tensor, up: Tensor, kind: GateActivation = 'silu'): Tensor {
  expectShape('swiglu: up', up, gate.shape)
  const { values, count, grid } = sizes(elementCount(gate.shape), gate.shape, kind)
  const y = enc.temp(gate.shape, 'f32', 'swiglu')
  enc.dispatch(kernel.as(values), { gate, up, y }, { count }, grid)
  return y
}

/**
 * dLoss/dgate and dLoss/dup.
 *
 * Shapes: dy, gate, up [...] -> dGate, dUp [...].
 * Throws: ShapeError unless they are alike.
 */
export function swigluBackward(
  enc: Encoder,
  dy: Tensor,
  gate: Tensor,
  up: Tensor,
  kind: GateActivation = 'silu',
): { dGate: Tensor; dUp: Tensor } {
  expectShape('swiglu-backward: dy', dy, gate.shape)
  expectShape('swiglu-backward: up', up, gate.shape)
  const { values, count, grid } = sizes(elementCount(gate.shape), gate.shape, kind)
  const dGate = enc.temp(gate.shape, 'f32', 'swiglu dGate')
  const dUp = enc.temp(gate.shape, 'f32', 'swiglu dUp')
  enc.dispatch(backwardKernel.as(values), { dy, gate, up, dGate, dUp }, { count }, grid)
  return { dGate, dUp }
}

/**
 * f(gate) * up of a fused projection, whose first half is the gate.
 *
 * Shapes: gateUp [..., 2F] -> [..., F].
 * Throws: ShapeError when the last axis is odd.
 */
export function swigluPacked(enc: Encoder, gateUp: Tensor, kind: GateActivation = 'silu'): Tensor {
  const shape = halved('swiglu-packed', gateUp)
  const { values, count, cols, grid } = sizes(lastDim({ shape }), shape, kind)
  const y = enc.temp(shape, 'f32', 'swiglu-packed')
  enc.dispatch(packedKernel.as(values), { gateUp, y }, { count, cols }, grid)
  return y
}

/**
 * dLoss/dgateUp.
 *
 * Shapes: dy [..., F], gateUp [..., 2F] -> dGateUp [..., 2F].
 * Throws: ShapeError unless they are.
 */
export function swigluPackedBackward(
  enc: Encoder,
  dy: Tensor,
  gateUp: Tensor,
  kind: GateActivation = 'silu',
): Tensor {
  const shape = halved('swiglu-packed-backward', gateUp)
  expectShape('swiglu-packed-backward: dy', dy, shape)
  const { values, count, cols, grid } = sizes(lastDim({ shape }), shape, kind)
  const dGateUp = enc.temp(gateUp.shape, 'f32', 'swiglu-packed dGateUp')
  enc.dispatch(packedBackwardKernel.as(values), { dy, gateUp, dGateUp }, { count, cols }, grid)
  return dGateUp
}

function halved(op: string, gateUp: Tensor): number[] {
  expectShape(`${op}: gateUp`, gateUp, gateUp.shape)
  if (lastDim(gateUp) % 2) {
    throw new ShapeError(
      `${op}: gateUp's last axis should hold two halves but is ${lastDim(gateUp)}; pass [..., 2F]`,
    )
  }
  return [...gateUp.shape.slice(0, -1), lastDim(gateUp) / 2]
}
