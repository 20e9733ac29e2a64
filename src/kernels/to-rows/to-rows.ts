import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, type Tensor } from '../tensor'
import { FLAT_WG } from '../vec'
import wgsl from './to-rows.wgsl?raw'

/** Channels a lane moves; RUN in the shader. */
const RUN = 4

const kernel = defineKernel({
  name: 'to-rows',
  wgsl,
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', n: 'u32', C: 'u32' },
})

/**
 * A convolution's channel planes as one row a position.
 *
 * Shapes: x [C, n] -> [n, C].
 * Throws: ShapeError unless x has two axes.
 */
export function toRows(enc: Encoder, x: Tensor): Tensor {
  const [C, n] = x.shape
  if (C === undefined || n === undefined || x.shape.length !== 2) {
    throw new ShapeError(
      `to-rows: x should be [channels, positions] but is [${x.shape.join(', ')}]; reshape it`,
    )
  }
  expectShape('to-rows: x', x, x.shape)
  const y = enc.temp([n, C], 'f32', 'to-rows')
  const count = n * Math.ceil(C / RUN)
  enc.dispatch(
    kernel.as({ RUN, WG: FLAT_WG }),
    { x, y },
    { count, n, C },
    { groups: Math.ceil(count / FLAT_WG) },
  )
  return y
}
