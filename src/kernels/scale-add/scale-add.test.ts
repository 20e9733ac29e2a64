import { expect, test } from 'vitest'
import { scaleAddRef } from './scale-add.ref'

test('scale-add oracle: scales each channel of x and adds the residual', () => {
  expect([...scaleAddRef([1, 2, 3, 4], [10, 20, 30, 40], [2, -1])]).toEqual([12, 18, 36, 36])
})
