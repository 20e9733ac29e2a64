import { broadcastLanes } from '../broadcast-lanes'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { lastDim, type Tensor } from '../tensor'
import f16 from '../wgsl/kv-f16.wgsl?raw'
import f32 from '../wgsl/kv-f32.wgsl?raw'
import spread from '../wgsl/spread.wgsl?raw'
import mixWgsl from './attention-mix.wgsl?raw'
import scoresWgsl from './attention-scores.wgsl?raw'
import type { Strided } from './repack'

const common = {
  T: 'u32',
  S: 'u32',
  G: 'u32',
  KV: 'u32',
  D4: 'u32',
  position: 'u32',
  window: 'u32',
  row_start: 'u32',
  row_end: 'u32',
  plane_start: 'u32',
  s_start: 'u32',
  s_rows: 'u32',
  s_row: 'u32',
} as const

type Dtype = 'f32' | 'f16'

const scoresFor = (dtype: Dtype) =>
  defineKernel({
    name: `attention-scores-${dtype}`,
    wgsl: scoresWgsl,
    include: [spread, dtype === 'f16' ? f16 : f32],
    bindings: { q: 'read', k: 'read', row_values: 'read', s: 'update', highest: 'write', spans: 'read' },
    params: {
      ...common,
      q_row: 'u32',
      q_start: 'u32',
      k_row: 'u32',
      k_start: 'u32',
      k_head: 'u32',
      k_batch: 'u32',
      values_row: 'u32',
      scale: 'f32',
    },
  })

const mixFor = (dtype: Dtype) =>
  defineKernel({
    name: `attention-mix-${dtype}`,
    wgsl: mixWgsl,
    include: [spread, dtype === 'f16' ? f16 : f32],
    bindings: { s: 'read', highest: 'read', v: 'read', spans: 'read', y: 'write', lse: 'write' },
    params: { ...common, v_row: 'u32', v_start: 'u32', v_head: 'u32', v_batch: 'u32', lse_row: 'u32' },
  })

const scores = { f32: scoresFor('f32'), f16: scoresFor('f16') }
const mix = { f32: mixFor('f32'), f16: mixFor('f16') }

/**
 * Rows of one workgroup of attention-scores, and vectors of y of one of attention-mix. Measured on lavapipe, two cores
 * (Zen 3), 512 x 512 with heads of 64: 15 to 19 GFLOP/s; with 6 vectors, which heads of 72 fill better, a third less.
 *
 * CPU time of causal attention of 729 tokens, 14/2 heads of 64, by this form and by tiles: 0.12 and 0.33 s on lavapipe,
 * 0.65 and 6.0 s on SwiftShader (Zen 3, other programs running).
 */
const SCORE_ROWS = 16
const MIX_COLUMNS = 4

/** Keys beside a sequence's own that share its first and last tile with it, at most. */
const TILE_EDGES = 62

/** Weights held at a time, 16 MiB in f32: a chunk of the forward pass stays near the caches and costs little memory. */
const MAX_WEIGHTS = 2 ** 22
/** The backward pass holds those of a whole key/value head; above this, 64 MiB, it takes the form that stores none. */
const MAX_BACKWARD_WEIGHTS = 2 ** 24

export interface Causal {
  readonly position: number
  readonly window: number
  /** Where the rows are several sequences, none of which sees another; `position` is 0 then. */
  readonly spans?: Spans | undefined
}

/** Sequences that lie one behind the other. */
export interface Spans {
  /** u32 [T, 2]: of each token's sequence its first token and the one behind its last. */
  readonly ofTokens: Tensor
  /** Tokens of the longest one. */
  readonly longest: number
}

export interface BroadcastSizes {
  readonly dtype: Dtype
  readonly B: number
  readonly T: number
  /** Keys that count. */
  readonly S: number
  readonly KV: number
  /** Query heads a key/value head. */
  readonly G: number
  readonly D4: number
  readonly scale: number
  readonly causal: Causal | undefined
}

/** One attention call in these kernels' terms. */
export interface BroadcastCall extends BroadcastSizes {
  /** [B*T, ...]. */
  readonly q: Strided
  /** Where `transposed`, of [KV, D4*4, row] with four keys a vector. */
  readonly k: Strided
  readonly transposed: boolean
  readonly v: Strided
  /** [B*T, H*D4*4]. */
  readonly y: Tensor
  /** [B, KV, T*G rounded up to 4], where the backward pass will need it. */
  readonly lse?: Tensor
}

interface Rows {
  readonly start: number
  readonly end: number
}

/** Weights of rows of `count` key/value heads, from `plane` on. */
interface Weights {
  readonly sizes: BroadcastSizes
  readonly lanes: 4 | 8
  readonly plane: number
  readonly count: number
  /** Row that s begins with. */
  readonly start: number
  /** [count, rows, keys], both rounded up to tiles of 4 x lanes. */
  readonly s: Tensor
  /** [count, tiles of keys, rows]; a stand-in where the backward pass has no use for it. */
  readonly highest: Tensor
}

/** Dispatches weights and sums of values, cut over heads and rows so that dispatches stay short and weights small. */
export function dispatchBroadcast(enc: Encoder, call: BroadcastCall): void {
  const { B, T, S, KV, G } = call
  const lanes = broadcastLanes(enc.gpu.caps)!
  const tile = 4 * lanes
  const keys = roundUp(S, tile)
  const most = Math.min(MAX_WEIGHTS / keys, rowsADispatch(enc, call, seen(call, keys)))
  const planes = B * KV
  const planesAtOnce = Math.max(1, Math.min(planes, Math.floor(most / (T * G))))
  for (let plane = 0; plane < planes; plane += planesAtOnce) {
    const count = Math.min(planesAtOnce, planes - plane)
    for (const rows of cut(T * G, most, tile)) {
      enc.scope(() => {
        const height = roundUp(rows.end - rows.start, tile)
        const s = enc.temp([count, height, keys], 'f32', 'attention weights')
        const highest = enc.temp([count, keys / tile, height], 'f32', 'attention highest')
        const weights = { sizes: call, lanes, plane, count, start: rows.start, s, highest }
        dispatchScores(enc, weights, SOFTMAX, rows, call, call.q.tensor, call.transposed)
        dispatchMix(enc, weights, SOFTMAX, rows, call.v, call.y, call.lse)
      })
    }
  }
}

/** What the backward pass reads and writes; all of it f32 rows of T tokens, heads padded to D4 vectors. */
export interface BroadcastBackwardCall extends BroadcastSizes {
  readonly q: Strided
  readonly k: Strided
  readonly v: Strided
  readonly dy: Strided
  /** [1, KV, T*G rounded up to 4], and delta beside it. */
  readonly lse: Tensor
  readonly delta: Tensor
  readonly dq: Tensor
  readonly dk: Tensor
  readonly dv: Tensor
}

/** Whether the weights of one key/value head are few enough to be held. */
export const fitsBroadcastBackward = (T: number, G: number) => T * G * T <= MAX_BACKWARD_WEIGHTS

/** Dispatches P, dv, dS over P, dq and dk, some key/value heads after another. */
export function dispatchBroadcastBackward(enc: Encoder, call: BroadcastBackwardCall): void {
  const { T, KV, G, q, k, v, dy } = call
  const lanes = broadcastLanes(enc.gpu.caps)!
  const tile = 4 * lanes
  const keys = roundUp(T, tile)
  const height = roundUp(T * G, tile)
  const planesAtOnce = Math.max(1, Math.min(KV, Math.floor(MAX_WEIGHTS / (height * keys))))
  for (let plane = 0; plane < KV; plane += planesAtOnce) {
    enc.scope(() => {
      const count = Math.min(planesAtOnce, KV - plane)
      const s = enc.temp([count, height, keys], 'f32', 'attention weights')
      const highest = enc.temp([4], 'f32', 'attention highest, unused')
      const weights = { sizes: call, lanes, plane, count, start: 0, s, highest }
      const byRow = [...cut(T * G, rowsADispatch(enc, call, seen(call, keys)) / count, tile)]
      const byKey = [...cut(T, rowsADispatch(enc, call, seen(call, height, G)) / count, tile)]
      for (const rows of byRow) dispatchScores(enc, weights, PLAIN, rows, { q, k }, call.lse)
      for (const rows of byKey) dispatchMix(enc, weights, BY_KEY, rows, dy, call.dv)
      for (const rows of byRow) dispatchScores(enc, weights, GRADIENT, rows, { q: dy, k: v }, call.delta)
      for (const rows of byRow) dispatchMix(enc, weights, PLAIN, rows, k, call.dq)
      for (const rows of byKey) dispatchMix(enc, weights, BY_KEY, rows, q, call.dk)
    })
  }
}

// MODE of attention-scores and attention-mix; see there.
const SOFTMAX = 0
const PLAIN = 1
const GRADIENT = 2
const BY_KEY = 2

function dispatchScores(
  enc: Encoder,
  weights: Weights,
  MODE: number,
  rows: Rows,
  { q, k }: { readonly q: Strided; readonly k: Strided },
  rowValues: Tensor,
  TRANSPOSED = false,
): void {
  const { sizes, lanes, count, s, highest } = weights
  const height = roundUp(rows.end - rows.start, 4 * lanes)
  const spans = sizes.causal?.spans
  enc.dispatch(
    scores[sizes.dtype].as({ LANES: lanes, MODE, TRANSPOSED, HAS_SPANS: spans !== undefined }),
    { q: q.tensor, k: k.tensor, row_values: rowValues, s, highest, spans: spans?.ofTokens ?? q.tensor },
    {
      ...paramsOf(weights, rows),
      q_row: q.row,
      q_start: q.start,
      k_row: k.row,
      k_start: k.start,
      k_head: k.head,
      k_batch: k.batch,
      values_row: lastDim(rowValues),
      scale: sizes.scale,
    },
    { groups: [height / SCORE_ROWS, count], flops: 8 * seen(sizes, lastDim(s)) * sizes.D4 * height * count },
  )
}

function dispatchMix(
  enc: Encoder,
  weights: Weights,
  MODE: number,
  rows: Rows,
  v: Strided,
  y: Tensor,
  lse?: Tensor,
): void {
  const { sizes, lanes, count, s, highest } = weights
  const height = roundUp(rows.end - rows.start, 4 * lanes)
  const spans = sizes.causal?.spans
  const terms = MODE === BY_KEY ? seen(sizes, s.shape[1]!, sizes.G) : seen(sizes, lastDim(s))
  enc.dispatch(
    mix[sizes.dtype].as({ LANES: lanes, MODE, HAS_SPANS: spans !== undefined }),
    {
      s,
      highest,
      v: v.tensor,
      spans: spans?.ofTokens ?? s,
      y,
      lse: lse ?? enc.temp([4], 'f32', 'attention lse, unused'),
    },
    {
      ...paramsOf(weights, rows),
      v_row: v.row,
      v_start: v.start,
      v_head: v.head,
      v_batch: v.batch,
      lse_row: lse ? lastDim(lse) : 0,
    },
    {
      groups: [height / (4 * lanes), count, Math.ceil(sizes.D4 / MIX_COLUMNS)],
      flops: 8 * terms * sizes.D4 * height * count,
    },
  )
}

function paramsOf({ sizes, plane, start, s }: Weights, rows: Rows) {
  const { T, S, G, KV, D4, causal } = sizes
  return {
    T,
    S,
    G,
    KV,
    D4,
    position: causal?.position ?? S,
    window: causal?.window ?? S,
    row_start: rows.start,
    row_end: rows.end,
    plane_start: plane,
    s_start: start,
    s_rows: s.shape[1]!,
    s_row: lastDim(s) / 4,
  }
}

/** Rows of `terms` weights whose products of one kind may share a dispatch. */
const rowsADispatch = (enc: Encoder, { D4 }: BroadcastSizes, terms: number) =>
  enc.gpu.caps.maxDispatchFlops / (8 * terms * D4)

/** Of `terms` keys, or rows a key has `rows` of for each token, those that one sequence's tiles reach into at most. */
const seen = ({ causal }: BroadcastSizes, terms: number, rows = 1) =>
  causal?.spans ? Math.min(terms, (causal.spans.longest + TILE_EDGES) * rows) : terms

/** Cuts rows into runs of whole tiles, of up to `most` rows where one tile has no more. */
function* cut(rows: number, most: number, tile: number): Generator<Rows> {
  const atOnce = Math.max(1, Math.floor(most / tile)) * tile
  for (let start = 0; start < rows; start += atOnce) yield { start, end: Math.min(start + atOnce, rows) }
}

const roundUp = (n: number, to: number) => Math.ceil(n / to) * to
