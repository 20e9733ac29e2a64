/** What a cache holds after rows `k` and `v` [T, KV*D] were written at `position` into arrays [KV, Dp, cap], [KV, cap, Dp]. */
export function appendKvRef(
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
