/** Oracle in float64: the sum and its RMS norm. Slow and obvious on purpose. */
export function addRmsNormRef(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  weight: ArrayLike<number>,
  eps: number,
): { sum: Float64Array; norm: Float64Array } {
  const C = weight.length
  const sum = Float64Array.from(x, (value, i) => value + y[i]!)
  const norm = new Float64Array(x.length)
  for (let start = 0; start < x.length; start += C) {
    let squares = 0
    for (let c = 0; c < C; c++) squares += sum[start + c]! ** 2
    const rstd = 1 / Math.sqrt(squares / C + eps)
    for (let c = 0; c < C; c++) norm[start + c] = sum[start + c]! * rstd * weight[c]!
  }
  return { sum, norm }
}
