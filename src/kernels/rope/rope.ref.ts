/** Oracle in float64; only the angle is rounded to f32, as the published models do. */
export function ropeRef(
  x: ArrayLike<number>,
  frequencies: ArrayLike<number>,
  positions: ArrayLike<number>,
  headDim: number,
  scale = 1,
  direction = 1,
): Float64Array {
  const pairs = frequencies.length
  const y = Float64Array.from(x)
  const rowLength = x.length / positions.length
  for (let t = 0; t < positions.length; t++) {
    for (let head = t * rowLength; head < (t + 1) * rowLength; head += headDim) {
      for (let i = 0; i < pairs; i++) {
        const angle = Math.fround(positions[t]! * frequencies[i]!)
        const cosine = scale * Math.cos(angle)
        const sine = scale * direction * Math.sin(angle)
        const a = x[head + i]!
        const b = x[head + i + pairs]!
        y[head + i] = a * cosine - b * sine
        y[head + i + pairs] = b * cosine + a * sine
      }
    }
  }
  return y
}
