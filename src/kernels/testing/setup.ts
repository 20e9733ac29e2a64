import { afterAll, expect, vi } from 'vitest'
import { compare, type Closeness } from './numbers'

declare module 'vitest' {
  // The parameter must be declared as vitest declares it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  interface Matchers<T = any> {
    /** Every entry within atol + rtol * max|want|; the default table row is f32. */
    toBeClose(want: ArrayLike<number>, closeness?: Closeness): T
  }
}

// Files share a process: none finds what another stood in for.
afterAll(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

expect.extend({
  toBeClose(got: ArrayLike<number>, want: ArrayLike<number>, closeness?: Closeness) {
    const { close, worst, worstError, allowed, scale } = compare(got, want, closeness)
    return {
      pass: close,
      message: () =>
        got.length !== want.length
          ? `has ${got.length} values, ${want.length} were expected`
          : `entry ${worst} is ${got[worst]}, expected ${want[worst]}: off by ${worstError.toExponential(2)}, ` +
            `allowed ${allowed.toExponential(2)} (largest value ${scale.toPrecision(4)})`,
    }
  },
})
