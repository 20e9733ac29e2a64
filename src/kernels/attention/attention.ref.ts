/** What attention is asked for: T queries a batch, S keys, H query heads over KV key/value heads of D. */
export interface AttentionDims {
  readonly B: number
  readonly T: number
  readonly S: number
  readonly H: number
  readonly KV: number
  readonly D: number
  readonly scale: number
  /** Query t sees keys 0 .. position + t, the last `window` of them; undefined: all S. */
  readonly causal?: { readonly position: number; readonly window: number }
}

/** Softmax rows [B, H, T, S] in float64. */
export function attentionWeights(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  dims: AttentionDims,
): Float64Array {
  const { B, T, S, H, KV, D, scale, causal } = dims
  const p = new Float64Array(B * H * T * S)
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const kv = Math.floor(h / (H / KV))
      for (let t = 0; t < T; t++) {
        const row = p.subarray(((b * H + h) * T + t) * S, ((b * H + h) * T + t + 1) * S)
        const end = causal ? causal.position + t + 1 : S
        const begin = causal ? Math.max(0, end - causal.window) : 0
        let highest = -Infinity
        for (let s = begin; s < end; s++) {
          let score = 0
          for (let d = 0; d < D; d++)
            score += q[((b * T + t) * H + h) * D + d]! * k[((b * S + s) * KV + kv) * D + d]!
          row[s] = score * scale
          highest = Math.max(highest, row[s]!)
        }
        let weight = 0
        for (let s = begin; s < end; s++) weight += row[s] = Math.exp(row[s]! - highest)
        for (let s = begin; s < end; s++) row[s]! /= weight
      }
    }
  }
  return p
}

/** Oracle in float64. Shapes: q [B*T, H*D], k and v [B*S, KV*D] -> y [B*T, H*D]. */
export function attentionRef(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  dims: AttentionDims,
): Float64Array {
  const { B, T, S, H, KV, D } = dims
  const p = attentionWeights(q, k, dims)
  const y = new Float64Array(B * T * H * D)
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const kv = Math.floor(h / (H / KV))
      for (let t = 0; t < T; t++) {
        for (let s = 0; s < S; s++) {
          const weight = p[((b * H + h) * T + t) * S + s]!
          for (let d = 0; d < D; d++) {
            y[((b * T + t) * H + h) * D + d]! += weight * v[((b * S + s) * KV + kv) * D + d]!
          }
        }
      }
    }
  }
  return y
}

/** Gradients of `attentionRef` in float64. */
export function attentionBackwardRef(
  dy: ArrayLike<number>,
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  dims: AttentionDims,
) {
  const { B, T, S, H, KV, D, scale } = dims
  const p = attentionWeights(q, k, dims)
  const dq = new Float64Array(q.length)
  const dk = new Float64Array(k.length)
  const dv = new Float64Array(v.length)
  const dp = new Float64Array(S)
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const kv = Math.floor(h / (H / KV))
      for (let t = 0; t < T; t++) {
        const row = ((b * H + h) * T + t) * S
        const at = ((b * T + t) * H + h) * D
        let mean = 0
        for (let s = 0; s < S; s++) {
          const from = ((b * S + s) * KV + kv) * D
          dp[s] = 0
          for (let d = 0; d < D; d++) {
            dp[s]! += dy[at + d]! * v[from + d]!
            dv[from + d]! += p[row + s]! * dy[at + d]!
          }
          mean += p[row + s]! * dp[s]!
        }
        for (let s = 0; s < S; s++) {
          const from = ((b * S + s) * KV + kv) * D
          const ds = p[row + s]! * (dp[s]! - mean) * scale
          for (let d = 0; d < D; d++) {
            dq[at + d]! += ds * k[from + d]!
            dk[from + d]! += ds * q[at + d]!
          }
        }
      }
    }
  }
  return { dq, dk, dv }
}
