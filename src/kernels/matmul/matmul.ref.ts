import type { Activation } from '../activation-kinds'

/** Oracle in float64: y = activation(x Wᵀ + bias) + residual. x [M, K], w [N, K]. */
export function matmulRef(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  K: number,
  options: { bias?: ArrayLike<number>; activation?: Activation; residual?: ArrayLike<number> } = {},
): Float64Array {
  const { bias, activation = 'none', residual } = options
  const M = x.length / K
  const N = w.length / K
  const y = new Float64Array(M * N)
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let sum = bias?.[n] ?? 0
      for (let k = 0; k < K; k++) sum += x[m * K + k]! * w[n * K + k]!
      y[m * N + n] = activateRef(activation, sum) + (residual?.[m * N + n] ?? 0)
    }
  }
  return y
}

/** dLoss/dx for dy [M, N]. */
export function matmulBackwardRef(dy: ArrayLike<number>, w: ArrayLike<number>, K: number): Float64Array {
  const N = w.length / K
  const M = dy.length / N
  const dx = new Float64Array(M * K)
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      for (let k = 0; k < K; k++) dx[m * K + k]! += dy[m * N + n]! * w[n * K + k]!
    }
  }
  return dx
}

/** dLoss/dW [N, K] and dLoss/dbias [N]. */
export function matmulWeightBackwardRef(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  K: number,
): { dw: Float64Array; db: Float64Array } {
  const M = x.length / K
  const N = dy.length / M
  const dw = new Float64Array(N * K)
  const db = new Float64Array(N)
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      db[n]! += dy[m * N + n]!
      for (let k = 0; k < K; k++) dw[n * K + k]! += dy[m * N + n]! * x[m * K + k]!
    }
  }
  return { dw, db }
}

/** Activations from their definitions. */
export function activateRef(activation: Activation, x: number): number {
  switch (activation) {
    case 'none':
      return x
    case 'gelu':
      return 0.5 * x * (1 + erf(x / Math.SQRT2))
    case 'gelu_tanh':
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    case 'quick_gelu':
      return x / (1 + Math.exp(-1.702 * x))
    case 'silu':
      return x / (1 + Math.exp(-x))
  }
}

/** Error function by a series of positive terms, exact to float64 rounding; beyond 6 it is 1. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; n < 200; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}
