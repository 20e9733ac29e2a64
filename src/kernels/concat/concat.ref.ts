/** Oracle: rows side by side; a part with one row repeats it. */
export function concatColumnsRef(parts: readonly { data: ArrayLike<number>; C: number }[]): Float64Array {
  const R = Math.max(...parts.map(({ data, C }) => data.length / C))
  const y: number[] = []
  for (let r = 0; r < R; r++) {
    for (const { data, C } of parts) {
      const row = data.length === C ? 0 : r
      for (let c = 0; c < C; c++) y.push(data[row * C + c]!)
    }
  }
  return Float64Array.from(y)
}

export function sliceColumnsRef(
  x: ArrayLike<number>,
  C: number,
  { start, count }: { start: number; count: number },
): Float64Array {
  return Float64Array.from(x).filter((_, i) => i % C >= start && i % C < start + count)
}
