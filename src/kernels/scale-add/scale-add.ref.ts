/** Oracle in float64: gamma repeats for every row. */
export function scaleAddRef(
  x: ArrayLike<number>,
  residual: ArrayLike<number>,
  gamma: ArrayLike<number>,
): Float64Array {
  return Float64Array.from(residual, (value, i) => value + gamma[i % gamma.length]! * x[i]!)
}
