import { describe, expect, test } from 'vitest'
import { gatherRowsRef, takeRowsRef } from './rows.ref'

describe('rows oracle', () => {
  test('takes the same rows of each group', () => {
    const x = [1, 2, 3, 4, 5, 6]
    expect([...takeRowsRef(x, 1, { batch: 2, start: 1, count: 2 })]).toEqual([2, 3, 5, 6])
  })

  test('gathers by index, zeros beyond', () => {
    expect([...gatherRowsRef([1, 2, 3, 4], 2, [1, 2, 0])]).toEqual([3, 4, 0, 0, 1, 2])
  })
})
