import { broadcastLanes } from '../broadcast-lanes'
import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import type { KvCache } from '../kv-layout'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { dispatchBroadcast } from './broadcast'
import { DECODE_ROWS, dispatchDecode } from './decode'
import { repackRows, stridedHeads, transposeHeads } from './repack'
import { attendRows } from './rows'
import { dispatchTiles } from './tile'

export interface AttentionOptions {
  /** Query heads; a multiple of the cache's key/value heads. */
  readonly heads: number
  /** Position of query row 0: the cache holds position + T keys by now. */
  readonly position: number
  /** Factor on the scores; default 1 / sqrt(headDim). */
  readonly scale?: number | undefined
  /** Latest keys a query sees, itself among them; default: all. */
  readonly slidingWindow?: number | undefined
}

/**
 * Causal attention of T new tokens over a cache that already holds their keys and values.
 *
 * Shapes: q [T, H*D] -> y [T, H*D].
 * Throws: ShapeError when heads do not fit the cache or it is too short.
 */
export function attention(enc: Encoder, q: Tensor, cache: KvCache, options: AttentionOptions): Tensor {
  const { heads: H, position } = options
  const { kvHeads: KV, headDim: D, capacity } = cache
  const T = rowsOf(q)
  expectHeads('attention', H, KV)
  expectShape('attention: q', q, [T, H * D])
  const S = position + T
  if (S > capacity) {
    throw new ShapeError(
      `attention: ${T} rows at position ${position} exceed the cache of ${capacity} tokens`,
    )
  }
  const window = options.slidingWindow ?? S
  if (!(window >= 1)) throw new ShapeError(`attention: slidingWindow should be at least 1 but is ${window}`)

  const scale = options.scale ?? 1 / Math.sqrt(D)
  const D4 = Math.ceil(D / 4)
  const G = H / KV
  return enc.scope(() => {
    const call = { dtype: cache.dtype, k: cache.k, v: cache.v, T, S, KV, G, D4, scale }
    const seen = Math.min(window, S)
    let y
    if (T * G <= DECODE_ROWS) {
      const rows = D % 4 ? repackRows(enc, q, H, D, D4 * 4) : q
      y = dispatchDecode(enc, { ...call, q: rows, position, window: seen })
    } else {
      y = enc.temp([T, H * D4 * 4], 'f32', 'attention')
      const causal = { position, window: seen }
      const heads = { B: 1, KV, G, D }
      if (broadcastLanes(enc.gpu.caps)) {
        const strides = { start: 0, head: capacity * D4, batch: 0 }
        dispatchBroadcast(enc, {
          ...call,
          q: stridedHeads(enc, q, heads),
          k: { tensor: cache.k, row: capacity / 4, ...strides },
          transposed: true,
          v: { tensor: cache.v, row: D4, ...strides },
          y,
          B: 1,
          causal,
        })
      } else {
        dispatchTiles(enc, {
          ...call,
          q: transposeHeads(enc, q, heads),
          y,
          B: 1,
          causal,
          vRow: D4,
          vStart: 0,
          vHead: capacity * D4,
          vBatch: 0,
        })
      }
    }
    return D % 4 ? repackRows(enc, y, H, D4 * 4, D) : y
  })
}

export interface AttentionFullOptions {
  /** Query heads. */
  readonly heads: number
  /** Key/value heads; default: as many as query heads. */
  readonly kvHeads?: number | undefined
  /** Pictures; each attends to itself alone. */
  readonly batch: number
  /** Factor on the scores; default 1 / sqrt(headDim). */
  readonly scale?: number | undefined
  /** Keys of each picture that count, from its first on; default: all. */
  readonly validKeys?: number | undefined
  /** Where q, k and v are parts of one fused tensor: each part's first column, and the head dim. */
  readonly columns?: { readonly q: number; readonly k: number; readonly v: number; readonly headDim: number }
}

/**
 * Attention without a mask, as in vision towers.
 *
 * Shapes: q [B*T, H*D], k and v [B*S, KV*D] -> y [B*T, H*D]; with `columns` rows of any length that hold the heads.
 * Throws: ShapeError when they do not fit together.
 */
export function attentionFull(
  enc: Encoder,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionFullOptions,
): Tensor {
  const { heads: H, batch: B, columns } = options
  const KV = options.kvHeads ?? H
  expectHeads('attention', H, KV)
  const D = columns?.headDim ?? lastDim(q) / H
  const T = rowsOf(q) / B
  const S = rowsOf(k) / B
  const valid = options.validKeys ?? S
  const { q: qStart = 0, k: kStart = 0, v: vStart = 0 } = columns ?? {}
  for (const [name, tensor, rows, width, start] of [
    ['q', q, B * T, H * D, qStart],
    ['k', k, B * S, KV * D, kStart],
    ['v', v, B * S, KV * D, vStart],
  ] as const) {
    const row = lastDim(tensor)
    const fits = columns ? start + width <= row : row === width
    if (!Number.isInteger(D) || !Number.isInteger(rows / B) || rowsOf(tensor) !== rows || !fits) {
      throw new ShapeError(
        `attention: ${name} should be [${rows}, ${width}] for ${B} x ${rows / B} rows` +
          `${columns ? ` from column ${start} on` : ''} but is [${tensor.shape.join(', ')}]`,
      )
    }
  }
  if (valid < 1 || valid > S) throw new ShapeError(`attention: validKeys should be 1 to ${S} but is ${valid}`)

  return enc.scope(() => {
    const y = attendRows(enc, {
      q,
      k,
      v,
      start: { q: qStart, k: kStart, v: vStart },
      B,
      T,
      S: valid,
      KV,
      G: H / KV,
      D,
      scale: options.scale ?? 1 / Math.sqrt(D),
      causal: undefined,
    })
    return D % 4 === 0 ? y : repackRows(enc, y, H, Math.ceil(D / 4) * 4, D)
  })
}

function expectHeads(op: string, heads: number, kvHeads: number): void {
  if (heads % kvHeads) {
    throw new ShapeError(`${op}: ${heads} query heads should be a multiple of ${kvHeads} key/value heads`)
  }
}
