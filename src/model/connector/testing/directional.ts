import { expect } from 'vitest'
import { seeded } from '../../../kernels/testing/numbers'

/**
 * Holds gradients against central differences of a float64 loss, each along one random direction.
 *
 * `loss` takes every input by name; `gradients` may hold some of them.
 */
export function expectGradients(
  loss: (inputs: Record<string, Float64Array>) => number,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
  gradients: Readonly<Record<string, ArrayLike<number>>>,
  rtol = 1e-4,
): void {
  const at = Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, Float64Array.from(x)]))
  const step = 1e-4
  let seed = 1
  for (const [name, gradient] of Object.entries(gradients)) {
    const own = at[name]!
    expect(gradient.length, name).toBe(own.length)
    const { direction } = seeded({ direction: [own.length] }, seed++)
    const moved = (by: number) => loss({ ...at, [name]: own.map((x, i) => x + by * direction[i]!) })
    const want = (moved(step) - moved(-step)) / (2 * step)
    let got = 0
    let norm = 0
    for (let i = 0; i < gradient.length; i++) {
      got += gradient[i]! * direction[i]!
      norm += gradient[i]! ** 2
    }
    expect(norm, `${name}: some gradient`).toBeGreaterThan(0)
    expect(Math.abs(got - want), `${name}: ${got} for ${want}`).toBeLessThan(rtol * Math.sqrt(norm))
  }
}

/** Random parameters for specs, matrices scaled so that products keep their size. */
export function randomParameters(
  specs: Readonly<Record<string, { readonly shape: readonly number[]; readonly kind: string }>>,
  seed = 1,
): Record<string, Float32Array<ArrayBuffer>> {
  const shapes = Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, shape]))
  const values = seeded(shapes, seed)
  return Object.fromEntries(
    Object.entries(values).map(([name, data]) => {
      const { shape, kind } = specs[name]!
      return [name, kind === 'matrix' ? data.map((x) => x / Math.sqrt(shape[1]!)) : data]
    }),
  )
}
