import type { Tensor } from './tensor'

/**
 * Keys and values of one layer's earlier tokens. Keys lie transposed, so that lanes that take neighbouring keys read
 * neighbouring words; head dims are padded to a multiple of 4 by zeros.
 */
export interface KvCache {
  /** [kvHeads, headDim rounded up to 4, capacity]. */
  readonly k: Tensor
  /** [kvHeads, capacity, headDim rounded up to 4]. */
  readonly v: Tensor
  /** Tokens it holds; a multiple of 4. */
  readonly capacity: number
  readonly kvHeads: number
  readonly headDim: number
  readonly dtype: 'f32' | 'f16'
}
