import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { rmsNormBackwardRef, rmsNormRef } from './rms-norm.ref'

describe('rms-norm oracle', () => {
  test('its gradient agrees with central differences for a random cotangent', () => {
    const { x, weight, dy } = seeded({ x: [3, 7], weight: [7], dy: [3, 7] })
    const numeric = finiteDifference((at) => rmsNormRef(at, weight, 1e-5), x, dy)
    expect(rmsNormBackwardRef(dy, x, weight, 1e-5)).toBeClose(numeric, { rtol: 1e-7 })
  })
})
