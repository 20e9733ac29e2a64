import { ShapeError } from '../errors'
import type { Gpu } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { createTensor } from '../gpu/memory'
import type { KvCache } from '../kv-layout'
import { lastDim, rowsOf, sizeBytes, type Tensor } from '../tensor'
import f16 from '../wgsl/kv-f16.wgsl?raw'
import f32 from '../wgsl/kv-f32.wgsl?raw'
import append from './kv-cache.wgsl?raw'

const WG = 64

const kernelFor = (dtype: 'f32' | 'f16') =>
  defineKernel({
    name: `kv-cache-${dtype}`,
    wgsl: append,
    include: [dtype === 'f16' ? f16 : f32],
    bindings: { k: 'read', v: 'read', cache_k: 'update', cache_v: 'update' },
    params: {
      T: 'u32',
      KV: 'u32',
      D: 'u32',
      D4: 'u32',
      position: 'u32',
      capacity4: 'u32',
      kRow: 'u32',
      kStart: 'u32',
      vRow: 'u32',
      vStart: 'u32',
    },
  })

const kernels = { f32: kernelFor('f32'), f16: kernelFor('f16') }

export type { KvCache }

export interface KvCacheOptions {
  /** Tokens; rounded up to a multiple of 4. */
  readonly capacity: number
  readonly kvHeads: number
  readonly headDim: number
  readonly dtype: 'f32' | 'f16'
}

function layout({ capacity, kvHeads, headDim }: Omit<KvCacheOptions, 'dtype'>) {
  const padded = Math.ceil(capacity / 4) * 4
  const D = Math.ceil(headDim / 4) * 4
  return { capacity: padded, k: [kvHeads, D, padded], v: [kvHeads, padded, D] }
}

/** GPU bytes `createKvCache` takes, keys and values together. */
export function kvCacheBytes(options: KvCacheOptions): number {
  const { k, v } = layout(options)
  return sizeBytes(k, options.dtype) + sizeBytes(v, options.dtype)
}

/**
 * Allocates an empty cache, once a session.
 *
 * Throws: OutOfMemoryError when one of the two buffers is above the device's limit.
 */
export function createKvCache(gpu: Gpu, label: string, options: KvCacheOptions): KvCache {
  const { kvHeads, headDim, dtype } = options
  const { capacity, k, v } = layout(options)
  return {
    k: createTensor(gpu, `${label} keys`, k, dtype),
    v: createTensor(gpu, `${label} values`, v, dtype),
    capacity,
    kvHeads,
    headDim,
    dtype,
  }
}

export function destroyKvCache(gpu: Gpu, cache: KvCache): void {
  gpu.destroyBuffer(cache.k.buffer)
  gpu.destroyBuffer(cache.v.buffer)
}

/** First columns of keys and of values where they are part of a fused qkv row. */
export interface AppendColumns {
  readonly kStart: number
  readonly vStart: number
}

/**
 * Writes T tokens' keys and values at `position`, over whatever was there.
 *
 * Shapes: k, v [T, KV*D], or with `columns` rows of any length that hold KV*D from the given column on.
 * Throws: ShapeError when the rows do not hold the cache's heads or the cache is too short.
 */
export function appendKv(
  enc: Encoder,
  cache: KvCache,
  k: Tensor,
  v: Tensor,
  position: number,
  columns?: AppendColumns,
): void {
  const { kvHeads: KV, headDim: D, capacity, dtype } = cache
  const T = rowsOf(k)
  const { kStart, vStart } = columns ?? { kStart: 0, vStart: 0 }
  for (const [name, tensor, start] of [
    ['k', k, kStart],
    ['v', v, vStart],
  ] as const) {
    const row = lastDim(tensor)
    if (rowsOf(tensor) !== T || (columns ? start + KV * D > row : KV * D !== row)) {
      throw new ShapeError(
        `kv-cache: ${name} should be [${T}, ${KV * D}] for ${KV} heads of ${D}` +
          `${columns ? ` from column ${start} on` : ''} but is [${tensor.shape.join(', ')}]`,
      )
    }
    if (tensor.dtype !== 'f32') throw new ShapeError(`kv-cache: ${name} should be f32 but is ${tensor.dtype}`)
  }
  if (position + T > capacity) {
    throw new ShapeError(
      `kv-cache: ${T} tokens at position ${position} exceed its ${capacity} tokens; start a new chat or allocate a longer cache`,
    )
  }
  const D4 = Math.ceil(D / 4)
  const keyGroups = Math.ceil((position + T) / 4) - Math.floor(position / 4)
  const vectors = keyGroups * KV * D + T * KV * D4
  enc.dispatch(
    kernels[dtype].as({ WG }),
    { k, v, cache_k: cache.k, cache_v: cache.v },
    { T, KV, D, D4, position, capacity4: capacity / 4, kRow: lastDim(k), kStart, vRow: lastDim(v), vStart },
    { groups: Math.ceil(vectors / WG) },
  )
}
