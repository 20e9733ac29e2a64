import { broadcastLanes } from '../broadcast-lanes'
import { ShapeError } from '../errors'
import type { Capabilities } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import backward from './attention-backward.wgsl?raw'
import deltas from './attention-delta.wgsl?raw'
import { dispatchBroadcastBackward, fitsBroadcastBackward, type Causal, type Spans } from './broadcast'
import { repackRows, stridedHeads, transposeHeads } from './repack'
import { attendRows } from './rows'

const kernel = defineKernel({
  name: 'attention-backward',
  wgsl: backward,
  bindings: {
    a: 'read',
    b: 'read',
    da: 'read',
    db: 'read',
    values: 'read',
    lse: 'read',
    delta: 'read',
    grad: 'write',
  },
  params: {
    T: 'u32',
    G: 'u32',
    KV: 'u32',
    D4: 'u32',
    window: 'u32',
    row_start: 'u32',
    row_end: 'u32',
    head_start: 'u32',
    a_row: 'u32',
    b_row: 'u32',
    scale: 'f32',
  },
})

const deltaKernel = defineKernel({
  name: 'attention-delta',
  wgsl: deltas,
  bindings: { dy: 'read', y: 'read', delta: 'write' },
  params: { T: 'u32', H: 'u32', G: 'u32', D4: 'u32', lse_row: 'u32' },
})

const ROWS = 32
const DELTA_WG = 64

export interface CausalAttentionOptions {
  readonly heads: number
  /** Key/value heads; default: as many as query heads. */
  readonly kvHeads?: number | undefined
  /** Factor on the scores; default 1 / sqrt(headDim). */
  readonly scale?: number | undefined
  /** Latest keys a query sees, itself among them; default: all. */
  readonly slidingWindow?: number | undefined
  /** Where the rows are several sequences, none of which sees another. Only where `attentionTakesSpans`. */
  readonly spans?: Spans | undefined
}

/** Whether sequences of T tokens together, G query heads a key/value head, can attend in one call. */
export const attentionTakesSpans = (caps: Capabilities, T: number, G: number) =>
  broadcastLanes(caps) !== undefined && fitsBroadcastBackward(T, G)

/** What `attentionBackward` needs of the forward pass. */
export interface AttentionSaved {
  readonly y: Tensor
  /** [1, kvHeads, T * heads / kvHeads rounded up to 4]: log of each row's sum of exponentials. */
  readonly lse: Tensor
}

interface Sizes {
  readonly T: number
  readonly H: number
  readonly KV: number
  readonly D: number
  /** Vectors of four a head, the last one padded. */
  readonly D4: number
  readonly scale: number
  readonly causal: Causal
}

/**
 * Causal attention of a whole sequence without a cache, as training runs it.
 *
 * Shapes: q [T, H*D], k and v [T, KV*D] -> y [T, H*D].
 * Saved: y and the rows' log-sum-exp for `attentionBackward`.
 * Throws: ShapeError when heads and rows do not fit together.
 */
export function attentionCausal(
  enc: Encoder,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: CausalAttentionOptions,
): AttentionSaved {
  const sizes = sizesOf('attention', q, k, v, options)
  return enc.scope(() => {
    const { lse, y } = forward(enc, sizes, q, k, v)
    return { lse, y: cutHeads(enc, y, sizes.H, sizes) }
  })
}

/**
 * Gradients of `attentionCausal`. Deterministic: no sum depends on scheduling.
 *
 * Shapes: dy [T, H*D], q, k, v as in the forward pass -> dq [T, H*D], dk and dv [T, KV*D].
 * Saved: what `attentionCausal` returned; computed again when undefined.
 * Throws: ShapeError when heads and rows do not fit together.
 */
export function attentionBackward(
  enc: Encoder,
  dy: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  saved: AttentionSaved | undefined,
  options: CausalAttentionOptions,
): { dq: Tensor; dk: Tensor; dv: Tensor } {
  const sizes = sizesOf('attention-backward', q, k, v, options)
  const { T, H, KV, D, D4 } = sizes
  expectShape('attention-backward: dy', dy, [T, H * D])
  return enc.scope(() => {
    const pad = (x: Tensor, heads: number) => padHeads(enc, x, heads, sizes)
    const { lse, y } = saved ? { lse: saved.lse, y: pad(saved.y, H) } : forward(enc, sizes, q, k, v)
    const dyRows = pad(dy, H)
    const delta = enc.temp(lse.shape, 'f32', 'attention delta')
    enc.dispatch(
      deltaKernel.as({ WG: DELTA_WG }),
      { dy: dyRows, y, delta },
      { T, H, G: H / KV, D4, lse_row: lastDim(lse) },
      { groups: Math.ceil((T * H) / DELTA_WG) },
    )
    const gradients =
      broadcastLanes(enc.gpu.caps) && fitsBroadcastBackward(T, H / KV)
        ? byBroadcast(enc, sizes, { q: pad(q, H), k: pad(k, KV), v: pad(v, KV), dy: dyRows, lse, delta })
        : byTiles(enc, sizes, { q, k, v, dy, lse, delta })
    return {
      dq: cutHeads(enc, gradients.dq, H, sizes),
      dk: cutHeads(enc, gradients.dk, KV, sizes),
      dv: cutHeads(enc, gradients.dv, KV, sizes),
    }
  })
}

function sizesOf(op: string, q: Tensor, k: Tensor, v: Tensor, options: CausalAttentionOptions): Sizes {
  const { heads: H, kvHeads: KV = H, slidingWindow, spans } = options
  const T = rowsOf(q)
  const D = q.shape[1]! / H
  if (H % KV || !Number.isInteger(D)) {
    throw new ShapeError(
      `${op}: q [${q.shape.join(', ')}] should hold ${H} whole heads, a multiple of ${KV} key/value heads`,
    )
  }
  expectShape(`${op}: k`, k, [T, KV * D])
  expectShape(`${op}: v`, v, [T, KV * D])
  const scale = options.scale ?? 1 / Math.sqrt(D)
  if (spans) expectShape(`${op}: spans`, spans.ofTokens, [T, 2], 'u32')
  const causal = { position: 0, window: Math.min(slidingWindow ?? T, T), spans }
  return { T, H, KV, D, D4: Math.ceil(D / 4), scale, causal }
}

/** Rows with heads padded by zeros to a multiple of 4. */
const padHeads = (enc: Encoder, x: Tensor, heads: number, { D, D4 }: Sizes) =>
  D % 4 ? repackRows(enc, x, heads, D, D4 * 4) : x

const cutHeads = (enc: Encoder, x: Tensor, heads: number, { D, D4 }: Sizes) =>
  D % 4 ? repackRows(enc, x, heads, D4 * 4, D) : x

/** y with padded heads, and lse. */
function forward(enc: Encoder, sizes: Sizes, q: Tensor, k: Tensor, v: Tensor): AttentionSaved {
  const { T, H, KV, D, scale, causal } = sizes
  const G = H / KV
  return enc.scope(() => {
    const lse = enc.temp([1, KV, Math.ceil((T * G) / 4) * 4], 'f32', 'attention lse')
    const y = attendRows(enc, {
      q,
      k,
      v,
      start: { q: 0, k: 0, v: 0 },
      lse,
      B: 1,
      T,
      S: T,
      KV,
      G,
      D,
      scale,
      causal,
    })
    return { y, lse }
  })
}

interface BackwardInputs {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly dy: Tensor
  readonly lse: Tensor
  readonly delta: Tensor
}

interface Gradients {
  readonly dq: Tensor
  readonly dk: Tensor
  readonly dv: Tensor
}

/** The inputs' heads are padded already, as those of the gradients are. */
function byBroadcast(enc: Encoder, sizes: Sizes, { lse, delta, ...inputs }: BackwardInputs): Gradients {
  const { T, H, KV, D4, scale, causal } = sizes
  const G = H / KV
  const heads = (x: Tensor, G: number) => stridedHeads(enc, x, { B: 1, KV, G, D: D4 * 4 })
  const grad = (name: string, heads: number) => enc.temp([T, heads * D4 * 4], 'f32', name)
  const gradients = { dq: grad('dq', H), dk: grad('dk', KV), dv: grad('dv', KV) }
  dispatchBroadcastBackward(enc, {
    dtype: 'f32',
    B: 1,
    T,
    S: T,
    KV,
    G,
    D4,
    scale,
    causal,
    q: heads(inputs.q, G),
    k: heads(inputs.k, 1),
    v: heads(inputs.v, 1),
    dy: heads(inputs.dy, G),
    lse,
    delta,
    ...gradients,
  })
  return gradients
}

function byTiles(enc: Encoder, sizes: Sizes, { q, k, v, dy, lse, delta }: BackwardInputs): Gradients {
  const { H, KV, D } = sizes
  const pad = (x: Tensor, heads: number) => padHeads(enc, x, heads, sizes)
  const [qT, dyT] = [q, dy].map((x) => transposeHeads(enc, x, { B: 1, KV, G: H / KV, D })) as [Tensor, Tensor]
  const [kT, vT] = [k, v].map((x) => transposeHeads(enc, x, { B: 1, KV, G: 1, D })) as [Tensor, Tensor]
  const byQuery = { a: qT, b: kT, da: dyT, db: vT, lse, delta }
  const byKey = { a: kT, b: qT, da: vT, db: dyT, lse, delta }
  return {
    dq: dispatchGradient(enc, sizes, 0, { ...byQuery, values: pad(k, KV) }),
    dk: dispatchGradient(enc, sizes, 1, { ...byKey, values: pad(q, H) }),
    dv: dispatchGradient(enc, sizes, 2, { ...byKey, values: pad(dy, H) }),
  }
}

/** One of dq (0), dk (1) and dv (2), cut over rows and heads so that each dispatch stays short. */
function dispatchGradient(
  enc: Encoder,
  { T, H, KV, D4, scale, causal: { window } }: Sizes,
  mode: 0 | 1 | 2,
  tensors: Record<'a' | 'b' | 'da' | 'db' | 'values' | 'lse' | 'delta', Tensor>,
): Tensor {
  const G = H / KV
  const rows = mode === 0 ? T * G : T
  const heads = mode === 0 ? H : KV
  const grad = enc.temp([T, heads * D4 * 4], 'f32', ['dq', 'dk', 'dv'][mode]!)
  const variant = kernel.as({ MODE: mode, COLUMNS: Math.ceil(D4 / 8) })
  const tileFlops = 6 * ROWS * T * (mode === 0 ? 1 : G) * D4 * 4
  const most = Math.max(1, Math.floor(enc.gpu.caps.maxDispatchFlops / tileFlops)) // tiles a dispatch
  const headsAtOnce = Math.min(KV, most)
  const rowsAtOnce = Math.max(1, Math.floor(most / headsAtOnce)) * ROWS
  for (let headStart = 0; headStart < KV; headStart += headsAtOnce) {
    for (let rowStart = 0; rowStart < rows; rowStart += rowsAtOnce) {
      const rowEnd = Math.min(rowStart + rowsAtOnce, rows)
      const groups = [Math.ceil((rowEnd - rowStart) / ROWS), Math.min(headsAtOnce, KV - headStart)] as const
      enc.dispatch(
        variant,
        { ...tensors, grad },
        {
          T,
          G,
          KV,
          D4,
          window,
          row_start: rowStart,
          row_end: rowEnd,
          head_start: headStart,
          a_row: lastDim(tensors.a) / 4,
          b_row: lastDim(tensors.b) / 4,
          scale,
        },
        { groups, flops: tileFlops * groups[0] * groups[1] },
      )
    }
  }
  return grad
}
