import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import inPlace from './add-into.wgsl?raw'
import forward from './add.wgsl?raw'

const kernel = defineKernel({
  name: 'add',
  wgsl: forward,
  include: [vec],
  bindings: { a: 'read', b: 'read', y: 'write' },
  params: { count: 'u32', period: 'u32' },
})

const intoKernel = defineKernel({
  name: 'add-into',
  wgsl: inPlace,
  include: [vec],
  bindings: { x: 'update', y: 'read' },
  params: { count: 'u32', period: 'u32' },
})

/** What both kernels need, after checking that `short` is a trailing part of `long`'s shape. */
function plan(op: string, long: Tensor, short: Tensor, longName: string, shortName: string) {
  expectShape(`${op}: ${longName}`, long, long.shape)
  const trailing = long.shape.slice(long.shape.length - short.shape.length)
  if (short.shape.length > long.shape.length || short.shape.some((dim, i) => dim !== trailing[i])) {
    throw new ShapeError(
      `${op}: ${shortName} should be [${long.shape.join(', ')}] or its last axes but is [${short.shape.join(', ')}]`,
    )
  }
  expectShape(`${op}: ${shortName}`, short, trailing)
  const { width, values } = vecOf(elementCount(short.shape))
  const count = elementCount(long.shape) / width
  const period = elementCount(short.shape) / width
  return {
    values: { ...values, BROADCAST: period !== count, WG: FLAT_WG },
    params: { count, period },
    grid: { groups: Math.ceil(count / FLAT_WG) },
  }
}

/**
 * a + b; b may lack leading axes of a, as position rows [P, C] on [B, P, C].
 *
 * Shapes: a [..., S], b [S] -> [..., S], where S stands for any number of axes.
 * Throws: ShapeError unless b is a's shape or its last axes.
 */
export function add(enc: Encoder, a: Tensor, b: Tensor): Tensor {
  const { values, params, grid } = plan('add', a, b, 'a', 'b')
  const y = enc.temp(a.shape, 'f32', 'add')
  enc.dispatch(kernel.as(values), { a, b, y }, params, grid)
  return y
}

/**
 * x += y in place; y may lack leading axes of x.
 *
 * Shapes: x [..., S], y [S], where S stands for any number of axes.
 * Throws: ShapeError unless y is x's shape or its last axes.
 */
export function addInto(enc: Encoder, x: Tensor, y: Tensor): void {
  const { values, params, grid } = plan('add-into', x, y, 'x', 'y')
  enc.dispatch(intoKernel.as(values), { x, y }, params, grid)
}
