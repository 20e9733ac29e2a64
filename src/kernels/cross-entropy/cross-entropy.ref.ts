/** Oracle in float64: losses [R] and dLoss/dlogits [R, V] for d/dlosses = scales; a label of 0xffffffff gives zeros. */
export function crossEntropyRef(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  scales: ArrayLike<number>,
): { losses: Float64Array; gradient: Float64Array } {
  const R = labels.length
  const V = logits.length / R
  const losses = new Float64Array(R)
  const gradient = new Float64Array(R * V)
  for (let r = 0; r < R; r++) {
    const label = labels[r]!
    if (label === 0xffffffff) continue
    let largest = -Infinity
    for (let v = 0; v < V; v++) largest = Math.max(largest, logits[r * V + v]!)
    let sum = 0
    for (let v = 0; v < V; v++) sum += Math.exp(logits[r * V + v]! - largest)
    losses[r] = largest + Math.log(sum) - logits[r * V + label]!
    for (let v = 0; v < V; v++) {
      const share = Math.exp(logits[r * V + v]! - largest) / sum
      gradient[r * V + v] = (share - (v === label ? 1 : 0)) * scales[r]!
    }
  }
  return { losses, gradient }
}
