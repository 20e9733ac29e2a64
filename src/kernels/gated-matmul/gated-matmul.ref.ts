import type { GateActivation } from '../activation-kinds'

/** Oracle in float64: f(rmsNorm(x) Wgateᵀ) * (rmsNorm(x) Wupᵀ). x [K], gain [K], gate and up [F, K]. */
export function gatedMatmulRef(
  x: ArrayLike<number>,
  gain: ArrayLike<number>,
  eps: number,
  gate: ArrayLike<number>,
  up: ArrayLike<number>,
  kind: GateActivation = 'silu',
): Float64Array {
  const K = x.length
  let squares = 0
  for (let k = 0; k < K; k++) squares += x[k]! ** 2
  const rstd = 1 / Math.sqrt(squares / K + eps)
  const product = (w: ArrayLike<number>, f: number) => {
    let sum = 0
    for (let k = 0; k < K; k++) sum += x[k]! * rstd * gain[k]! * w[f * K + k]!
    return sum
  }
  return Float64Array.from(
    { length: gate.length / K },
    (_, f) => VALUE[kind](product(gate, f)) * product(up, f),
  )
}

const VALUE = {
  silu: (x: number) => x / (1 + Math.exp(-x)),
  gelu_tanh: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
}
