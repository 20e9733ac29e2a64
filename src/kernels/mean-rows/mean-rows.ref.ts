/** Oracle in float64: x [batch*R, C] -> [batch, C]. */
export function meanRowsRef(x: ArrayLike<number>, C: number, batch: number): Float64Array {
  const R = x.length / C / batch
  const y = new Float64Array(batch * C)
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < R; r++) for (let c = 0; c < C; c++) y[b * C + c]! += x[(b * R + r) * C + c]! / R
  }
  return y
}

export function meanRowsBackwardRef(dy: ArrayLike<number>, C: number, R: number): Float64Array {
  const dx = new Float64Array(dy.length * R)
  for (let i = 0; i < dx.length; i++) dx[i] = dy[Math.floor(i / (R * C)) * C + (i % C)]! / R
  return dx
}

export function columnSumsRef(x: ArrayLike<number>, C: number): Float64Array {
  return meanRowsRef(x, C, 1).map((mean) => mean * (x.length / C))
}
