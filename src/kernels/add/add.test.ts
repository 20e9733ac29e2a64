import { expect, test } from 'vitest'
import { addRef } from './add.ref'

test('add oracle: repeats the shorter summand along the leading axis', () => {
  expect([...addRef([1, 2, 3, 4, 5, 6], [10, 20, 30])]).toEqual([11, 22, 33, 14, 25, 36])
})
