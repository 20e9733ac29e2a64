import { expect, test } from 'vitest'
import { toRowsRef } from './to-rows.ref'

test('to-rows oracle: two planes of three become three rows of two', () => {
  expect([...toRowsRef([1, 2, 3, 4, 5, 6], 2, 3)]).toEqual([1, 4, 2, 5, 3, 6])
})
