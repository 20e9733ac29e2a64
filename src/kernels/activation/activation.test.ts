import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { activationKinds } from './activation.cases'
import { activationBackwardRef, activationRef, erf } from './activation.ref'

describe('activation oracle', () => {
  test.each(activationKinds)('the slope of %s agrees with central differences', (kind) => {
    const { x, dy } = seeded({ x: [40], dy: [40] })
    x.forEach((value, i) => (x[i] = value * 3))
    const numeric = finiteDifference((at) => activationRef(at, kind), x, dy)
    expect(activationBackwardRef(dy, x, kind)).toBeClose(numeric, { rtol: 1e-7 })
  })

  test('erf takes its tabulated values', () => {
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 14)
    expect(erf(-1)).toBeCloseTo(-0.8427007929497149, 14)
    expect(erf(3)).toBeCloseTo(0.9999779095030014, 14)
    expect(erf(5.9)).toBeCloseTo(1, 14)
  })

  // Phi(1), and its tanh approximation.
  test('the two GELUs differ in the fourth digit', () => {
    expect(activationRef([1], 'gelu')[0]).toBeCloseTo(0.8413447460685429, 12)
    expect(activationRef([1], 'gelu_tanh')[0]).toBeCloseTo(0.8411919906082768, 12)
  })
})
