/** Oracle in float64. Slow and obvious on purpose. */
export function softmaxRef(x: ArrayLike<number>, C: number): Float64Array {
  const y = new Float64Array(x.length)
  for (let start = 0; start < x.length; start += C) {
    let largest = -Infinity
    for (let c = 0; c < C; c++) largest = Math.max(largest, x[start + c]!)
    if (largest === -Infinity) continue
    let sum = 0
    for (let c = 0; c < C; c++) sum += Math.exp(x[start + c]! - largest)
    for (let c = 0; c < C; c++) y[start + c] = Math.exp(x[start + c]! - largest) / sum
  }
  return y
}

export function softmaxBackwardRef(dy: ArrayLike<number>, y: ArrayLike<number>, C: number): Float64Array {
  const dx = new Float64Array(y.length)
  for (let start = 0; start < y.length; start += C) {
    let mean = 0
    for (let c = 0; c < C; c++) mean += dy[start + c]! * y[start + c]!
    for (let c = 0; c < C; c++) dx[start + c] = y[start + c]! * (dy[start + c]! - mean)
  }
  return dx
}
