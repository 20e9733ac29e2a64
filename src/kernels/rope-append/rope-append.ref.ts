/** Oracle in float64: rows [T, heads*D] turned, row t at `position` + t; only the angle is rounded to f32. */
export function turnedRef(
  rows: ArrayLike<number>,
  frequencies: ArrayLike<number>,
  { T, D, position, scale }: { T: number; D: number; position: number; scale: number },
): Float64Array {
  const pairs = frequencies.length
  const width = rows.length / T
  const y = Float64Array.from(rows)
  for (let t = 0; t < T; t++) {
    for (let i = 0; i < pairs; i++) {
      const angle = Math.fround((position + t) * frequencies[i]!)
      const cosine = scale * Math.cos(angle)
      const sine = scale * Math.sin(angle)
      for (let low = t * width + i; low < (t + 1) * width; low += D) {
        const [a, b] = [rows[low]!, rows[low + pairs]!]
        y[low] = a * cosine - b * sine
        y[low + pairs] = b * cosine + a * sine
      }
    }
  }
  return y
}

/** Writes keys and values [T, KV*D] into caches [KV, Dp, capacity] and [KV, capacity, Dp] from `position` on. */
export function appendedRef(
  cache: { k: Float64Array; v: Float64Array },
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  dims: { T: number; KV: number; D: number; Dp: number; capacity: number; position: number },
): void {
  const { T, KV, D, Dp, capacity, position } = dims
  for (let t = 0; t < T; t++) {
    for (let h = 0; h < KV; h++) {
      for (let d = 0; d < D; d++) {
        cache.k[(h * Dp + d) * capacity + position + t] = k[(t * KV + h) * D + d]!
        cache.v[(h * capacity + position + t) * Dp + d] = v[(t * KV + h) * D + d]!
      }
    }
  }
}
