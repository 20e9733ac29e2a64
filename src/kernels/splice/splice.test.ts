import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { placesOf, spliceCases } from './splice.cases'
import { spliceBackwardRef, spliceRef } from './splice.ref'

describe('splice oracle', () => {
  test('puts rows at their places and skips places beyond the tokens', () => {
    expect([...spliceRef([1, 2, 3, 4], [5, 6, 7, 8], [1, 9])]).toEqual([1, 2, 5, 6])
  })

  test('its gradient agrees with central differences for a random cotangent', () => {
    const { tokens, rows, dy } = seeded({ tokens: [4, 3], rows: [3, 3], dy: [4, 3] })
    const at = [2, 0, 7]
    const numeric = finiteDifference((moved) => spliceRef(tokens, moved, at), rows, dy)
    expect(spliceBackwardRef(dy, at, 3)).toBeClose(numeric, { rtol: 1e-7 })
  })

  test.each(spliceCases)('the places of case $T, $R differ', (sizes) => {
    expect(new Set(placesOf(sizes)).size).toBe(sizes.R)
  })
})
