import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, type Tensor } from '../tensor'
import { BLOCK } from '../weight'
import wgsl from './quantise-rows.wgsl?raw'

/** 32-bit words of a block: 8 of bytes, scale, sum, and two that round it up to whole vec4u. */
export const BLOCK_WORDS = 12

const kernel = defineKernel({
  name: 'matmul-quantise-rows',
  wgsl,
  bindings: { x: 'read', blocks: 'write' },
  params: { quads: 'u32' },
})

/**
 * Rows as signed bytes with a scale a block of 32, for products in 8-bit integers.
 *
 * Shapes: x f32 [M, K], K a multiple of 32 -> u32 [M * K / 32, 12].
 */
export function quantiseRows(enc: Encoder, x: Tensor): Tensor {
  const count = elementCount(x.shape)
  const blocks = enc.temp([count / BLOCK, BLOCK_WORDS], 'u32', 'matmul x in bytes')
  enc.dispatch(kernel.as(), { x, blocks }, { quads: count / 4 }, { groups: Math.ceil(count / 1024) })
  return blocks
}
