interface Sizes {
  readonly side: number
  readonly window: number
}

/** Row of the positions that a row of the maps takes. */
function cellOf(row: number, { side, window }: Sizes): number {
  const [y, x] = [Math.floor(row / side) % side, row % side]
  return (y % window) * window + (x % window)
}

/** Oracle in float64. */
export function addWindowPositionsRef(
  x: ArrayLike<number>,
  positions: ArrayLike<number>,
  sizes: Sizes,
): Float64Array {
  const C = positions.length / sizes.window ** 2
  return Float64Array.from(x, (value, i) => {
    return value + positions[cellOf(Math.floor(i / C), sizes) * C + (i % C)]!
  })
}

export function addWindowPositionsBackwardRef(dy: ArrayLike<number>, C: number, sizes: Sizes): Float64Array {
  const dPositions = new Float64Array(sizes.window ** 2 * C)
  for (let i = 0; i < dy.length; i++) dPositions[cellOf(Math.floor(i / C), sizes) * C + (i % C)]! += dy[i]!
  return dPositions
}
