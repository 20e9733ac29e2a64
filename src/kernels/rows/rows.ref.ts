/** Oracle: rows start to start + count of each of `batch` groups. */
export function takeRowsRef(
  x: ArrayLike<number>,
  C: number,
  { batch, start, count }: { batch: number; start: number; count: number },
): Float64Array {
  const n = x.length / C / batch
  const rows: number[] = []
  for (let b = 0; b < batch; b++) for (let i = 0; i < count; i++) rows.push(b * n + start + i)
  return gatherRowsRef(x, C, rows)
}

/** Oracle: rows by index, zeros beyond x. */
export function gatherRowsRef(x: ArrayLike<number>, C: number, indices: ArrayLike<number>): Float64Array {
  const y = new Float64Array(indices.length * C)
  for (let r = 0; r < indices.length; r++) {
    if (indices[r]! * C >= x.length) continue
    for (let c = 0; c < C; c++) y[r * C + c] = x[indices[r]! * C + c]!
  }
  return y
}

/** Oracle in float64: dx [rows, C]. */
export function gatherRowsBackwardRef(
  dy: ArrayLike<number>,
  C: number,
  indices: ArrayLike<number>,
  rows: number,
): Float64Array {
  const dx = new Float64Array(rows * C)
  for (let n = 0; n < indices.length; n++) {
    if (indices[n]! >= rows) continue
    for (let c = 0; c < C; c++) dx[indices[n]! * C + c]! += dy[n * C + c]!
  }
  return dx
}
