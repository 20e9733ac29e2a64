/** Oracle in float64: y = rmsNorm(x) Wᵀ + bias. x [K], gain [K], w [N, K]. */
export function normMatmulRef(
  x: ArrayLike<number>,
  gain: ArrayLike<number>,
  eps: number,
  w: ArrayLike<number>,
  bias?: ArrayLike<number>,
): Float64Array {
  const K = x.length
  let squares = 0
  for (let k = 0; k < K; k++) squares += x[k]! ** 2
  const rstd = 1 / Math.sqrt(squares / K + eps)
  return Float64Array.from({ length: w.length / K }, (_, n) => {
    let sum = bias?.[n] ?? 0
    for (let k = 0; k < K; k++) sum += x[k]! * rstd * gain[k]! * w[n * K + k]!
    return sum
  })
}
