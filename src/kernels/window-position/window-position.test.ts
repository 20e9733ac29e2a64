import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { addWindowPositionsBackwardRef, addWindowPositionsRef } from './window-position.ref'

describe('window-position oracle', () => {
  test('adds the same four positions to every window of two cells a side', () => {
    const x = Array.from({ length: 16 }, () => 0)
    expect([...addWindowPositionsRef(x, [1, 2, 3, 4], { side: 4, window: 2 })]).toEqual([
      1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4,
    ])
  })

  test('its gradient agrees with central differences for a random cotangent', () => {
    const { x, positions, dy } = seeded({ x: [32, 3], positions: [4, 3], dy: [32, 3] })
    const sizes = { side: 4, window: 2 }
    const numeric = finiteDifference((at) => addWindowPositionsRef(x, at, sizes), positions, dy)
    expect(addWindowPositionsBackwardRef(dy, 3, sizes)).toBeClose(numeric, { rtol: 1e-7 })
  })
})
