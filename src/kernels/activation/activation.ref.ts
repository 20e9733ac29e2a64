import type { Activation } from '../activation-kinds'

/** Oracle in float64. Slow and obvious on purpose. */
export function activationRef(x: ArrayLike<number>, kind: Activation): Float64Array {
  return Float64Array.from(x, FUNCTIONS[kind].value)
}

export function activationBackwardRef(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  kind: Activation,
): Float64Array {
  return Float64Array.from(x, (value, i) => dy[i]! * FUNCTIONS[kind].slope(value))
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const sigmoidSlope = (x: number) => sigmoid(x) * (1 - sigmoid(x))
const normalDensity = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
const normalMass = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2))

const ROOT = Math.sqrt(2 / Math.PI)
const tanhInside = (x: number) => ROOT * (x + 0.044715 * x ** 3)
const tanhInsideSlope = (x: number) => ROOT * (1 + 3 * 0.044715 * x ** 2)

interface Scalar {
  value: (x: number) => number
  slope: (x: number) => number
}

const FUNCTIONS: Readonly<Record<Activation, Scalar>> = {
  none: { value: (x) => x, slope: () => 1 },
  gelu: { value: (x) => x * normalMass(x), slope: (x) => normalMass(x) + x * normalDensity(x) },
  gelu_tanh: {
    value: (x) => 0.5 * x * (1 + Math.tanh(tanhInside(x))),
    slope: (x) =>
      0.5 * (1 + Math.tanh(tanhInside(x))) +
      0.5 * x * (1 - Math.tanh(tanhInside(x)) ** 2) * tanhInsideSlope(x),
  },
  quick_gelu: {
    value: (x) => x * sigmoid(1.702 * x),
    slope: (x) => sigmoid(1.702 * x) + 1.702 * x * sigmoidSlope(1.702 * x),
  },
  silu: { value: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) + x * sigmoidSlope(x) },
}

/** The error function: 2/sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (2n+1)!!, all terms of one sign. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x) // 1 - erf(6) = 2e-17
  let term = x
  let sum = 0
  for (let n = 0; n < 200; n++) {
    sum += term
    term *= (2 * x * x) / (2 * n + 3)
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}
