import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { columnSumsRef, meanRowsBackwardRef, meanRowsRef } from './mean-rows.ref'

describe('mean-rows oracle', () => {
  test('takes the mean of each group of rows', () => {
    expect([...meanRowsRef([1, 2, 3, 4, 5, 6, 7, 8], 2, 2)]).toEqual([2, 3, 6, 7])
    expect([...columnSumsRef([1, 2, 3, 4, 5, 6], 2)]).toEqual([9, 12])
  })

  test('its gradient agrees with central differences for a random cotangent', () => {
    const { x, dy } = seeded({ x: [6, 4], dy: [2, 4] })
    const numeric = finiteDifference((at) => meanRowsRef(at, 4, 2), x, dy)
    expect(meanRowsBackwardRef(dy, 4, 3)).toBeClose(numeric, { rtol: 1e-7 })
  })
})
