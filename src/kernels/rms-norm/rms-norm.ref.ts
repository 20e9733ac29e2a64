/** Oracle in float64. Slow and obvious on purpose. */
export function rmsNormRef(x: ArrayLike<number>, weight: ArrayLike<number>, eps: number): Float64Array {
  const C = weight.length
  const y = new Float64Array(x.length)
  for (let r = 0; r < x.length / C; r++) {
    let squares = 0
    for (let c = 0; c < C; c++) squares += x[r * C + c]! ** 2
    const rstd = 1 / Math.sqrt(squares / C + eps)
    for (let c = 0; c < C; c++) y[r * C + c] = x[r * C + c]! * rstd * weight[c]!
  }
  return y
}

export function rmsNormBackwardRef(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  eps: number,
): Float64Array {
  const C = weight.length
  const dx = new Float64Array(x.length)
  for (let r = 0; r < x.length / C; r++) {
    let squares = 0
    for (let c = 0; c < C; c++) squares += x[r * C + c]! ** 2
    const rstd = 1 / Math.sqrt(squares / C + eps)
    let mean = 0
    for (let c = 0; c < C; c++) mean += (dy[r * C + c]! * weight[c]! * x[r * C + c]! * rstd) / C
    for (let c = 0; c < C; c++) {
      dx[r * C + c] = rstd * (dy[r * C + c]! * weight[c]! - x[r * C + c]! * rstd * mean)
    }
  }
  return dx
}
