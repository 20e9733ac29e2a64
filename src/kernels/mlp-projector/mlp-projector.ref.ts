/** An activation and its derivative, one element at a time. */
export interface ScalarFunction {
  value: (x: number) => number
  slope: (x: number) => number
}

interface Layers {
  w1: ArrayLike<number>
  b1: ArrayLike<number>
  w2: ArrayLike<number>
  b2: ArrayLike<number>
  act: ScalarFunction
}

/** Oracle in float64: y = act(x W1ᵀ + b1) W2ᵀ + b2. Slow and obvious on purpose. */
export function mlpProjectorRef(x: ArrayLike<number>, { w1, b1, w2, b2, act }: Layers): Float64Array {
  return linear(linear(x, w1, b1).map(act.value), w2, b2)
}

/** dLoss of the input and of every parameter, for the gradient dy from above. */
export function mlpProjectorBackwardRef(dy: ArrayLike<number>, x: ArrayLike<number>, layers: Layers) {
  const { w1, b1, w2, b2, act } = layers
  const z = linear(x, w1, b1)
  const second = linearBackward(dy, z.map(act.value), w2, b2.length)
  const dz = second.dx.map((dh, i) => dh * act.slope(z[i]!))
  const first = linearBackward(dz, x, w1, b1.length)
  return { dx: first.dx, dw1: first.dw, db1: first.db, dw2: second.dw, db2: second.db }
}

function linear(x: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const N = b.length
  const K = w.length / N
  const y = new Float64Array((x.length / K) * N)
  for (let m = 0; m < x.length / K; m++) {
    for (let n = 0; n < N; n++) {
      let sum = b[n]!
      for (let k = 0; k < K; k++) sum += x[m * K + k]! * w[n * K + k]!
      y[m * N + n] = sum
    }
  }
  return y
}

function linearBackward(dy: ArrayLike<number>, x: ArrayLike<number>, w: ArrayLike<number>, N: number) {
  const K = w.length / N
  const dx = new Float64Array(x.length)
  const dw = new Float64Array(w.length)
  const db = new Float64Array(N)
  for (let m = 0; m < x.length / K; m++) {
    for (let n = 0; n < N; n++) {
      db[n]! += dy[m * N + n]!
      for (let k = 0; k < K; k++) {
        dx[m * K + k]! += dy[m * N + n]! * w[n * K + k]!
        dw[n * K + k]! += dy[m * N + n]! * x[m * K + k]!
      }
    }
  }
  return { dx, dw, db }
}
