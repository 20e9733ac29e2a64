/** Oracle in float64: the sum and its layer norm. Slow and obvious on purpose. */
export function addLayerNormRef(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  eps: number,
): { sum: Float64Array; norm: Float64Array } {
  const C = weight.length
  const sum = Float64Array.from(x, (value, i) => value + y[i]!)
  const norm = new Float64Array(x.length)
  for (let start = 0; start < x.length; start += C) {
    let mean = 0
    for (let c = 0; c < C; c++) mean += sum[start + c]! / C
    let variance = 0
    for (let c = 0; c < C; c++) variance += (sum[start + c]! - mean) ** 2 / C
    const rstd = 1 / Math.sqrt(variance + eps)
    for (let c = 0; c < C; c++) norm[start + c] = (sum[start + c]! - mean) * rstd * weight[c]! + bias[c]!
  }
  return { sum, norm }
}
