import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './splice-backward.wgsl?raw'
import forward from './splice.wgsl?raw'

const kernel = defineKernel({
  name: 'splice',
  wgsl: forward,
  include: [vec],
  bindings: { rows: 'read', at: 'read', tokens: 'update' },
  params: { count: 'u32', cols: 'u32', T: 'u32' },
})

const backwardKernel = defineKernel({
  name: 'splice-backward',
  wgsl: backward,
  include: [vec],
  bindings: { dTokens: 'read', at: 'read', dRows: 'write' },
  params: { count: 'u32', cols: 'u32', T: 'u32' },
})

/**
 * Puts image rows among token rows, in place: tokens[at[r]] = rows[r].
 *
 * Places beyond the tokens are skipped; places should differ, else either row may win.
 * Shapes: tokens [T, C] (updated), rows [R, C], at u32 [R].
 * Throws: ShapeError unless they are.
 */
export function splice(enc: Encoder, tokens: Tensor, rows: Tensor, at: Tensor): void {
  const C = lastDim(tokens)
  const R = rowsOf(rows)
  expectShape('splice: tokens', tokens, [rowsOf(tokens), C])
  expectShape('splice: rows', rows, [R, C])
  expectShape('splice: at', at, [R], 'u32')
  const { width, values } = vecOf(C)
  const count = (R * C) / width
  enc.dispatch(
    kernel.as({ ...values, WG: FLAT_WG }),
    { rows, at, tokens },
    { count, cols: C / width, T: rowsOf(tokens) },
    { groups: Math.ceil(count / FLAT_WG) },
  )
}

/**
 * dLoss/drows: the gradients at the rows' places, zeros for places beyond the tokens.
 *
 * Shapes: dTokens [T, C], at u32 [R] -> dRows [R, C].
 * Throws: ShapeError unless they are.
 */
export function spliceBackward(enc: Encoder, dTokens: Tensor, at: Tensor): Tensor {
  const C = lastDim(dTokens)
  const R = elementCount(at.shape)
  expectShape('splice-backward: dTokens', dTokens, [rowsOf(dTokens), C])
  expectShape('splice-backward: at', at, [R], 'u32')
  const dRows = enc.temp([R, C], 'f32', 'splice dRows')
  const { width, values } = vecOf(C)
  const count = (R * C) / width
  enc.dispatch(
    backwardKernel.as({ ...values, WG: FLAT_WG }),
    { dTokens, at, dRows },
    { count, cols: C / width, T: rowsOf(dTokens) },
    { groups: Math.ceil(count / FLAT_WG) },
  )
  return dRows
}
