import type { Arena, Encoder, Gpu } from '../../src/kernels'

/** One thing to measure, set up and ready. */
export interface Subject {
  /**
   * Compares a result with the float64 oracle.
   *
   * Returns: the largest difference over the largest value, and what is allowed.
   */
  check(): Promise<{ error: number; allowed: number }>
  /** Does the work `units` times, the last of it finished when this settles. */
  run(units: number): Promise<void>
  /** Dispatches of one unit; by default those of the first run. */
  dispatches?(): number
}

export interface Bench {
  readonly gpu: Gpu
  readonly arena: Arena
  readonly enc: Encoder
  /** CPU time of the process so far; NaN where that is not told. */
  readonly cpuMs: () => number
}

/** Largest difference over the largest value of `want`. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity
  let scale = 0
  let worst = 0
  for (let i = 0; i < want.length; i++) {
    scale = Math.max(scale, Math.abs(want[i]!))
    const difference = Math.abs(got[i]! - want[i]!)
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Infinity : difference
  }
  return worst / scale
}
