import { broadcastLanes } from '../broadcast-lanes'
import type { Encoder } from '../gpu/encoder'
import type { Tensor } from '../tensor'
import { dispatchBroadcast, type Causal } from './broadcast'
import { stridedHeads, transposeHeads } from './repack'
import { dispatchTiles } from './tile'

/** Attention whose keys and values lie in rows, not in a cache. */
export interface RowsCall {
  /** [B*T, ...], [B*keys, ...] and [B*keys, ...], heads from these columns on. */
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly start: { readonly q: number; readonly k: number; readonly v: number }
  /** [B, KV, T*G rounded up to 4], where the backward pass will need it. */
  readonly lse?: Tensor
  readonly B: number
  readonly T: number
  /** Keys that count. */
  readonly S: number
  readonly KV: number
  /** Query heads a key/value head. */
  readonly G: number
  readonly D: number
  readonly scale: number
  /** Spans only where `attentionTakesSpans`. */
  readonly causal: Causal | undefined
}

/** Dispatches the form this device takes. Returns: [B*T, H*D4*4], heads padded to whole vectors. */
export function attendRows(enc: Encoder, { q, k, v, start, ...sizes }: RowsCall): Tensor {
  const { B, T, KV, G, D } = sizes
  const D4 = Math.ceil(D / 4)
  const y = enc.temp([B * T, KV * G * D4 * 4], 'f32', 'attention')
  const queries = { B, KV, G, D, start: start.q }
  const keys = { B, KV, G: 1, D, start: start.k }
  const values = stridedHeads(enc, v, { ...keys, start: start.v })
  const call = { ...sizes, dtype: 'f32' as const, D4, y }
  if (broadcastLanes(enc.gpu.caps)) {
    dispatchBroadcast(enc, {
      ...call,
      q: stridedHeads(enc, q, queries),
      k: stridedHeads(enc, k, keys),
      transposed: false,
      v: values,
    })
  } else {
    dispatchTiles(enc, {
      ...call,
      q: transposeHeads(enc, q, queries),
      k: transposeHeads(enc, k, keys),
      v: values.tensor,
      vRow: values.row,
      vStart: values.start,
      vHead: values.head,
      vBatch: values.batch,
    })
  }
  return y
}
