import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { lastDim, rowsOf, type Tensor } from '../tensor'
import wgsl from './pad.wgsl?raw'

const kernel = defineKernel({
  name: 'matmul-pad',
  wgsl,
  bindings: { x: 'read', padded: 'write' },
  params: { M: 'u32', K: 'u32', stride: 'u32' },
})

/** Rows of `stride` elements: x itself where its rows have that length, else a copy with zeros behind. */
export function padded(enc: Encoder, x: Tensor, stride: number): Tensor {
  const K = lastDim(x)
  if (K === stride) return x
  const M = rowsOf(x)
  const copy = enc.temp([M, stride], 'f32', 'matmul x')
  const groups = Math.ceil((M * stride) / 256)
  enc.dispatch(kernel.as(), { x, padded: copy }, { M, K, stride }, { groups })
  return copy
}
