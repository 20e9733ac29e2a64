/** Oracle in float64: b repeated until it covers a. */
export function addRef(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return Float64Array.from(a, (value, i) => value + b[i % b.length]!)
}
