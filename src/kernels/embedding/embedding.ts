import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, type Tensor } from '../tensor'
import { FLAT_WG } from '../vec'
import { WEIGHT_DTYPE_CODE, type Weight } from '../weight'
import weights from '../wgsl/weights.wgsl?raw'
import shader from './embedding.wgsl?raw'

const kernel = defineKernel({
  name: 'embedding',
  wgsl: shader,
  include: [weights],
  bindings: { ids: 'read', data: 'read', scales: 'read', y: 'write' },
  params: {
    start: 'u32',
    count: 'u32',
    C: 'u32',
    stride: 'u32',
    rowStart: 'u32',
    partRows: 'u32',
    V: 'u32',
    scale: 'f32',
  },
})

export interface EmbeddingRange {
  /** First id to look up. */
  readonly start: number
  readonly count: number
  /** Factor on every row, as Gemma's sqrt(C); default 1. */
  readonly scale?: number
}

/**
 * Rows of a table by token id; an id the table does not have gives a row of zeros.
 *
 * Shapes: ids u32 [capacity], table [V, C] of any dtype and number of parts -> f32 [count, C].
 * Throws: ShapeError unless ids is u32 and holds start + count of them.
 */
export function embedding(
  enc: Encoder,
  ids: Tensor,
  table: Weight,
  { start, count, scale = 1 }: EmbeddingRange,
): Tensor {
  const capacity = elementCount(ids.shape)
  expectShape('embedding: ids', ids, [capacity], 'u32')
  if (start < 0 || count < 0 || start + count > capacity) {
    throw new ShapeError(
      `embedding: ids ${start} to ${start + count} should lie within the ${capacity} there are; choose another range`,
    )
  }
  const { cols: C, stride, rows: V } = table
  const y = enc.temp([count, C], 'f32', 'embedding')
  const variant = kernel.as({ W_DTYPE: WEIGHT_DTYPE_CODE[table.dtype], WG: FLAT_WG })
  for (const part of table.parts) {
    enc.dispatch(
      variant,
      { ids, data: part.data, scales: part.scales ?? part.data, y },
      { start, count, C, stride, rowStart: part.rowStart, partRows: part.rows, V, scale },
      { groups: Math.ceil((count * C) / FLAT_WG) },
    )
  }
  return y
}
