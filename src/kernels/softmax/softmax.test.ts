import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { softmaxBackwardRef, softmaxRef } from './softmax.ref'

describe('softmax oracle', () => {
  test('its gradient agrees with central differences for a random cotangent', () => {
    const { x, dy } = seeded({ x: [3, 7], dy: [3, 7] })
    const numeric = finiteDifference((at) => softmaxRef(at, 7), x, dy)
    expect(softmaxBackwardRef(dy, softmaxRef(x, 7), 7)).toBeClose(numeric, { rtol: 1e-7 })
  })

  test('rows sum to 1; a row of -inf alone to 0', () => {
    const y = softmaxRef([1, 2, 3, -Infinity, -Infinity, -Infinity], 3)
    expect(y[0]! + y[1]! + y[2]!).toBeCloseTo(1, 14)
    expect([...y.subarray(3)]).toEqual([0, 0, 0])
  })
})
