import { elementCount } from '../tensor'

/** Random host data with a shape, normal and reproducible. */
export interface Shaped extends Float32Array<ArrayBuffer> {
  shape: readonly number[]
}

/** Small fast generator (mulberry32): the same numbers on every machine. Returns: numbers in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Standard normal float32 data for each named shape. */
export function seeded<S extends Record<string, readonly number[]>>(
  shapes: S,
  seed = 1,
): { [name in keyof S]: Shaped } {
  const random = generator(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const data: Record<string, Shaped> = {}
  for (const [name, shape] of Object.entries(shapes)) {
    data[name] = Object.assign(Float32Array.from({ length: elementCount(shape) }, normal), { shape })
  }
  return data as { [name in keyof S]: Shaped }
}

export const shaped = (data: Float32Array<ArrayBuffer>, shape: readonly number[]): Shaped =>
  Object.assign(data, { shape })

/** d(sum(dy * f(x)))/dx by central differences in float64. */
export function finiteDifference(
  f: (x: Float64Array) => ArrayLike<number>,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  step = 1e-4,
): Float64Array {
  const at = Float64Array.from(x)
  const loss = () => {
    const y = f(at)
    let sum = 0
    for (let i = 0; i < y.length; i++) sum += y[i]! * dy[i]!
    return sum
  }
  return Float64Array.from(at, (_, i) => {
    const value = at[i]!
    at[i] = value + step
    const above = loss()
    at[i] = value - step
    const below = loss()
    at[i] = value
    return (above - below) / (2 * step)
  })
}

/** One table of tolerances: |a - b| <= atol + rtol * max|b|, by the precision the values went through. */
export const TOLERANCE = {
  f32: { atol: 1e-6, rtol: 2e-5 },
  f16: { atol: 1e-4, rtol: 2e-3 },
  bf16: { atol: 1e-3, rtol: 1.6e-2 },
  /**
   * A whole model whose f32 weights were rounded to f16. Each carries 2^-11 and layers add up: in llava-clip-llama an
   * exact engine on the rounded weights is 5.3e-3 off, ours 5.1e-3.
   */
  f16Model: { atol: 1e-3, rtol: 6e-3 },
} as const

export type Closeness = keyof typeof TOLERANCE | { atol?: number; rtol: number }

/** The worst entry of `got` against `want`. */
export function compare(got: ArrayLike<number>, want: ArrayLike<number>, closeness: Closeness = 'f32') {
  const { atol = 0, rtol } = typeof closeness === 'string' ? TOLERANCE[closeness] : closeness
  let scale = 0
  let worst = -1
  let worstError = -1
  for (let i = 0; i < want.length; i++) scale = Math.max(scale, Math.abs(want[i]!))
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i]! - want[i]!)
    if (!(error <= worstError)) {
      worst = i
      worstError = error
      if (Number.isNaN(error)) break
    }
  }
  const allowed = atol + rtol * scale
  const close = got.length === want.length && (want.length === 0 || worstError <= allowed)
  return { close, worst, worstError, allowed, scale }
}
