/** Oracle: a transposition, element by element. */
export function toRowsRef(x: ArrayLike<number>, C: number, n: number): Float64Array {
  const y = new Float64Array(C * n)
  for (let c = 0; c < C; c++) {
    for (let i = 0; i < n; i++) y[i * C + c] = x[c * n + i]!
  }
  return y
}
