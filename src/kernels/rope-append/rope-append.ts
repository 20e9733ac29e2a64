import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import type { KvCache } from '../kv-layout'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import f16 from '../wgsl/kv-f16.wgsl?raw'
import f32 from '../wgsl/kv-f32.wgsl?raw'
import sincos from '../wgsl/sincos.wgsl?raw'
import shader from './rope-append.wgsl?raw'

const WG = 64
const HEADS = 4

const kernelFor = (dtype: 'f32' | 'f16') =>
  defineKernel({
    name: `rope-append-${dtype}`,
    wgsl: shader,
    include: [sincos, dtype === 'f16' ? f16 : f32],
    bindings: {
      q: 'read',
      k: 'read',
      v: 'read',
      frequencies: 'read',
      y: 'write',
      cache_k: 'update',
      cache_v: 'update',
    },
    params: {
      T: 'u32',
      H: 'u32',
      KV: 'u32',
      D: 'u32',
      D4: 'u32',
      R: 'u32',
      position: 'u32',
      capacity4: 'u32',
      q_row: 'u32',
      q_start: 'u32',
      k_row: 'u32',
      k_start: 'u32',
      v_row: 'u32',
      v_start: 'u32',
      scale: 'f32',
    },
  })

const kernels = { f32: kernelFor('f32'), f16: kernelFor('f16') }

/** Heads of rows: all columns from `start` on, of which more may follow than are taken. */
export interface HeadColumns {
  /** f32 [T, any]. */
  readonly rows: Tensor
  readonly start: number
}

export interface RopeAppendOptions {
  /** Query heads. */
  readonly heads: number
  /** Leading elements of a head that turn; the rest pass through. */
  readonly rotaryDim: number
  /** Radians a position, f32 [rotaryDim / 2]; `ropeFrequencies` makes them. */
  readonly frequencies: Tensor
  /** Position of row 0 in the cache; rows follow one another. */
  readonly position: number
  /** Factor on cos and sin (longrope, yarn); default 1. */
  readonly scale?: number
}

/**
 * Turns queries and keys by their positions and puts keys and values into the cache: `rope` twice and `appendKv` in one
 * dispatch.
 *
 * Shapes: q [T, H*D], k and v [T, KV*D] within rows of any length -> rotated queries [T, H*D].
 * Throws: ShapeError when heads, rotary part, frequencies or cache do not fit together.
 * Source: arXiv:2104.09864.
 */
export function ropeAppend(
  enc: Encoder,
  { q, k, v }: { readonly q: HeadColumns; readonly k: HeadColumns; readonly v: HeadColumns },
  cache: KvCache,
  options: RopeAppendOptions,
): Tensor {
  const { kvHeads: KV, headDim: D, capacity } = cache
  const { heads: H, rotaryDim: R, frequencies, position } = options
  const T = rowsOf(q.rows)
  for (const [name, { rows, start }, heads] of [
    ['q', q, H],
    ['k', k, KV],
    ['v', v, KV],
  ] as const) {
    if (rows.dtype !== 'f32' || rowsOf(rows) !== T || start + heads * D > lastDim(rows)) {
      throw new ShapeError(
        `rope-append: ${name} should be f32 [${T}, ${heads * D}] for ${heads} heads of ${D} from column ${start} on ` +
          `but is ${rows.dtype} [${rows.shape.join(', ')}]`,
      )
    }
  }
  if (R % 2 || R > D || R < 2) {
    throw new ShapeError(`rope-append: rotaryDim should be even and from 2 to headDim ${D} but is ${R}`)
  }
  expectShape('rope-append: frequencies', frequencies, [R / 2])
  if (position + T > capacity) {
    throw new ShapeError(
      `rope-append: ${T} tokens at position ${position} exceed the cache's ${capacity} tokens; start a new chat or allocate a longer cache`,
    )
  }
  const y = enc.temp([T, H * D], 'f32', 'rope')
  const D4 = Math.ceil(D / 4)
  const columns = D - R / 2
  const keyGroups = Math.ceil((position + T) / 4) - Math.floor(position / 4)
  const invocations = (T * Math.ceil(H / HEADS) + keyGroups * KV) * columns + T * KV * D4
  enc.dispatch(
    kernels[cache.dtype].as({ WG, HEADS }),
    { q: q.rows, k: k.rows, v: v.rows, frequencies, y, cache_k: cache.k, cache_v: cache.v },
    {
      T,
      H,
      KV,
      D,
      D4,
      R,
      position,
      capacity4: capacity / 4,
      q_row: lastDim(q.rows),
      q_start: q.start,
      k_row: lastDim(k.rows),
      k_start: k.start,
      v_row: lastDim(v.rows),
      v_start: v.start,
      scale: options.scale ?? 1,
    },
    { groups: Math.ceil(invocations / WG) },
  )
  return y
}
