/**
 * What the self-test's kernels must answer: the formulas in float64, on the host.
 */

/** Small inputs, the same on every device, that the formats of weights and caches hold exactly. */
export function inputs(seed: number) {
  let state = seed
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 28
  return {
    /** Multiples of 1/8 in [-1, 0.875]. */
    values: (count: number) => Float32Array.from({ length: count }, () => (next() - 8) / 8),
    /** Multiples of 1/4 in [-2, 1.75], both ends in every block of 32: q4, f16 and f32 hold them exactly. */
    weights: (rows: number, cols: number) =>
      Float32Array.from({ length: rows * cols }, (_, i) => {
        const place = (i % cols) % 32
        return ((place === 0 ? 0 : place === 1 ? 15 : next()) - 8) / 4
      }),
    /** Multiples of 1/64 up to 127/64, which is in every block of 32: q8 holds them exactly. */
    byteWeights: (rows: number, cols: number) =>
      Float32Array.from({ length: rows * cols }, (_, i) => {
        const byte = next() * 16 + next() - 128
        return ((i % cols) % 32 === 0 ? 127 : Math.max(-127, byte)) / 64
      }),
  }
}

type Numbers = ArrayLike<number>

/** x [M, K] times w [N, K] transposed, plus bias. */
export function product(x: Numbers, w: Numbers, K: number, bias?: Numbers): Float64Array {
  const N = w.length / K
  return Float64Array.from({ length: (x.length / K) * N }, (_, i) => {
    const m = Math.floor(i / N) * K
    const n = (i % N) * K
    let sum = bias?.[i % N] ?? 0
    for (let k = 0; k < K; k++) sum += x[m + k]! * w[n + k]!
    return sum
  })
}

export interface Heads {
  heads: number
  kvHeads: number
  headDim: number
  /** Position of query 0 for a causal mask; undefined without one. */
  position?: number
}

/** softmax(q k^T / sqrt(D)) v for each head; q [T, H*D], k and v [S, KV*D]. */
export function attended(
  q: Numbers,
  k: Numbers,
  v: Numbers,
  { heads, kvHeads, headDim: D, position }: Heads,
) {
  const T = q.length / (heads * D)
  const S = k.length / (kvHeads * D)
  const y = new Float64Array(q.length)
  for (let t = 0; t < T; t++) {
    const seen = position === undefined ? S : position + t + 1
    for (let h = 0; h < heads; h++) {
      const shared = Math.floor((h * kvHeads) / heads)
      const masses = Array.from({ length: seen }, (_, s) => {
        let dot = 0
        for (let d = 0; d < D; d++) dot += q[(t * heads + h) * D + d]! * k[(s * kvHeads + shared) * D + d]!
        return Math.exp(dot / Math.sqrt(D))
      })
      const total = masses.reduce((a, b) => a + b)
      masses.forEach((mass, s) => {
        for (let d = 0; d < D; d++) {
          y[(t * heads + h) * D + d]! += (mass / total) * v[(s * kvHeads + shared) * D + d]!
        }
      })
    }
  }
  return y
}

/** The attention of each cell of a grid to its own block of every map, without the rows of it that are not valid. */
export function attendedBlocks(
  q: Numbers,
  maps: readonly { k: Numbers; v: Numbers; side: number; validRows?: readonly [from: number, to: number] }[],
  { heads, side }: { heads: number; side: number },
): Float64Array {
  const row = q.length / side ** 2
  const y = new Float64Array(q.length)
  for (let cell = 0; cell < side ** 2; cell++) {
    const keys: number[] = []
    const values: number[] = []
    for (const { k, v, side: S, validRows: [from, to] = [0, S] } of maps) {
      for (let i = 0; i < S * S; i++) {
        const [down, right] = [Math.floor(i / S), i % S]
        const own = Math.floor((down * side) / S) * side + Math.floor((right * side) / S) === cell
        if (!own || down < from || down >= to) continue
        keys.push(...Array.from({ length: row }, (_, d) => k[i * row + d]!))
        values.push(...Array.from({ length: row }, (_, d) => v[i * row + d]!))
      }
    }
    const query = Array.from({ length: row }, (_, d) => q[cell * row + d]!)
    y.set(attended(query, keys, values, { heads, kvHeads: heads, headDim: row / heads }), cell * row)
  }
  return y
}

/** Rows of C, each divided by its root mean square (centred first where there is a bias), times weight, plus bias. */
export function normalised(x: Numbers, weight: Numbers, eps: number, bias?: Numbers): Float64Array {
  const C = weight.length
  const y = new Float64Array(x.length)
  for (let start = 0; start < x.length; start += C) {
    const row = Array.from({ length: C }, (_, c) => x[start + c]!)
    const mean = bias ? row.reduce((a, b) => a + b) / C : 0
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / C
    row.forEach((value, c) => {
      y[start + c] = ((value - mean) / Math.sqrt(variance + eps)) * weight[c]! + (bias?.[c] ?? 0)
    })
  }
  return y
}

/** Rotary embedding in half-rotation form of heads of D, rows at positions `position` and on. */
export function turned(
  x: Numbers,
  row: number,
  D: number,
  frequencies: Numbers,
  position: number,
): Float64Array {
  const half = D / 2
  return Float64Array.from(x, (value, i) => {
    const d = i % D
    const angle = (position + Math.floor(i / row)) * frequencies[d % half]!
    const other = d < half ? -x[i + half]! : x[i - half]!
    return value * Math.cos(angle) + other * Math.sin(angle)
  })
}

/** tanh form of GELU. */
export const geluTanh = (x: number) =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
export const silu = (x: number) => x / (1 + Math.exp(-x))
export const quickGelu = (x: number) => x / (1 + Math.exp(-1.702 * x))

/** Exact GELU, x times the normal distribution below x: the integral by Simpson's rule in 400 steps. */
export function gelu(x: number): number {
  const steps = 400
  let sum = 0
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 ? 4 : 2
    sum += weight * Math.exp(((x * i) / steps) ** 2 / -2)
  }
  return x * (0.5 + (sum * x) / (3 * steps) / Math.sqrt(2 * Math.PI))
}

/** Rows of C, each to shares of 1. */
export function shares(x: Numbers, C: number): Float64Array {
  const y = Float64Array.from(x, Math.exp)
  for (let start = 0; start < y.length; start += C) {
    const total = y.subarray(start, start + C).reduce((a, b) => a + b)
    for (let c = 0; c < C; c++) y[start + c]! /= total
  }
  return y
}
