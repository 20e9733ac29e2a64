import type { GateActivation } from '../activation-kinds'

/** Oracle in float64. Slow and obvious on purpose. */
export function swigluRef(
  gate: ArrayLike<number>,
  up: ArrayLike<number>,
  kind: GateActivation = 'silu',
): Float64Array {
  return Float64Array.from(gate, (g, i) => VALUE[kind](g) * up[i]!)
}

export function swigluBackwardRef(
  dy: ArrayLike<number>,
  gate: ArrayLike<number>,
  up: ArrayLike<number>,
  kind: GateActivation = 'silu',
): { dGate: Float64Array; dUp: Float64Array } {
  return {
    dGate: Float64Array.from(gate, (g, i) => dy[i]! * up[i]! * SLOPE[kind](g)),
    dUp: Float64Array.from(gate, (g, i) => dy[i]! * VALUE[kind](g)),
  }
}

/** The halves of a fused [T, 2F]. */
export function unpackRef(gateUp: ArrayLike<number>, F: number): { gate: Float64Array; up: Float64Array } {
  const T = gateUp.length / (2 * F)
  const gate = new Float64Array(T * F)
  const up = new Float64Array(T * F)
  for (let t = 0; t < T; t++) {
    for (let f = 0; f < F; f++) {
      gate[t * F + f] = gateUp[t * 2 * F + f]!
      up[t * F + f] = gateUp[t * 2 * F + F + f]!
    }
  }
  return { gate, up }
}

/** Puts halves side by side again. */
export function packRef(gate: ArrayLike<number>, up: ArrayLike<number>, F: number): Float64Array {
  const packed = new Float64Array(2 * gate.length)
  for (let i = 0; i < gate.length; i++) {
    const start = Math.floor(i / F) * 2 * F + (i % F)
    packed[start] = gate[i]!
    packed[start + F] = up[i]!
  }
  return packed
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const ROOT = Math.sqrt(2 / Math.PI)
const inside = (x: number) => ROOT * (x + 0.044715 * x ** 3)

const VALUE = {
  silu: (x: number) => x * sigmoid(x),
  gelu_tanh: (x: number) => 0.5 * x * (1 + Math.tanh(inside(x))),
}
const SLOPE = {
  silu: (x: number) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  gelu_tanh: (x: number) =>
    0.5 * (1 + Math.tanh(inside(x))) +
    0.5 * x * (1 - Math.tanh(inside(x)) ** 2) * ROOT * (1 + 3 * 0.044715 * x ** 2),
}
