/** Oracle in float64. Slow and obvious on purpose. */
export function layerNormRef(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  eps: number,
): Float64Array {
  const C = weight.length
  const y = new Float64Array(x.length)
  for (let r = 0; r < x.length / C; r++) {
    const { mean, rstd } = rowStatistics(x, r, C, eps)
    for (let c = 0; c < C; c++) y[r * C + c] = (x[r * C + c]! - mean) * rstd * weight[c]! + bias[c]!
  }
  return y
}

export function layerNormBackwardRef(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  eps: number,
): { dx: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const C = weight.length
  const dx = new Float64Array(x.length)
  const dWeight = new Float64Array(C)
  const dBias = new Float64Array(C)
  for (let r = 0; r < x.length / C; r++) {
    const { mean, rstd } = rowStatistics(x, r, C, eps)
    let gMean = 0
    let gXhatMean = 0
    for (let c = 0; c < C; c++) {
      const g = dy[r * C + c]! * weight[c]!
      const xhat = (x[r * C + c]! - mean) * rstd
      gMean += g / C
      gXhatMean += (g * xhat) / C
      dWeight[c]! += dy[r * C + c]! * xhat
      dBias[c]! += dy[r * C + c]!
    }
    for (let c = 0; c < C; c++) {
      const xhat = (x[r * C + c]! - mean) * rstd
      dx[r * C + c] = rstd * (dy[r * C + c]! * weight[c]! - gMean - xhat * gXhatMean)
    }
  }
  return { dx, dWeight, dBias }
}

function rowStatistics(x: ArrayLike<number>, r: number, C: number, eps: number) {
  let mean = 0
  for (let c = 0; c < C; c++) mean += x[r * C + c]! / C
  let variance = 0
  for (let c = 0; c < C; c++) variance += (x[r * C + c]! - mean) ** 2 / C
  return { mean, rstd: 1 / Math.sqrt(variance + eps) }
}
