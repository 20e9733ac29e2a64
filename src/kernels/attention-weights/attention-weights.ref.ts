/** Oracle in float64: keys [length, KV*D] in plain rows. Returns the weights of all positions. */
export function attentionWeightsRef(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  dims: { H: number; KV: number; D: number; length: number; scale?: number | undefined },
): Float64Array {
  const { H, KV, D, length } = dims
  const scale = dims.scale ?? 1 / Math.sqrt(D)
  const weights = new Float64Array(length)
  for (let h = 0; h < H; h++) {
    const shared = Math.floor(h / (H / KV))
    const scores = Array.from({ length }, (_, i) => {
      let dot = 0
      for (let d = 0; d < D; d++) dot += q[h * D + d]! * k[(i * KV + shared) * D + d]!
      return scale * dot
    })
    const top = scores.reduce((a, b) => Math.max(a, b))
    const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0)
    for (let i = 0; i < length; i++) weights[i]! += Math.exp(scores[i]! - top) / total / H
  }
  return weights
}
