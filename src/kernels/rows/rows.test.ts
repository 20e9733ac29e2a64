import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { takersOf } from './rows'
import { gatherRowsBackwardRef, gatherRowsRef, takeRowsRef } from './rows.ref'

describe('rows oracle', () => {
  test('takes the same rows of each group', () => {
    const x = [1, 2, 3, 4, 5, 6]
    expect([...takeRowsRef(x, 1, { batch: 2, start: 1, count: 2 })]).toEqual([2, 3, 5, 6])
  })

  test('gathers by index, zeros beyond', () => {
    expect([...gatherRowsRef([1, 2, 3, 4], 2, [1, 2, 0])]).toEqual([3, 4, 0, 0, 1, 2])
  })

  test('its gradient agrees with central differences for a random cotangent', () => {
    const indices = [4, 0, 4, 7, 2, 4]
    const { x, dy } = seeded({ x: [5, 3], dy: [6, 3] })
    const numeric = finiteDifference((at) => gatherRowsRef(at, 3, indices), x, dy)
    expect(gatherRowsBackwardRef(dy, 3, indices, 5)).toBeClose(numeric, { rtol: 1e-7 })
  })
})

test('the takers of each row keep their order; those beyond the rows are left out', () => {
  const { offsets, takers } = takersOf(Uint32Array.of(2, 0, 9, 2, 0, 2), 4)
  expect([...offsets]).toEqual([0, 2, 2, 5, 5])
  expect([...takers]).toEqual([1, 4, 0, 3, 5])
})
