import { expect, test } from 'vitest'
import { normMatmulRef } from './norm-matmul.ref'

test('the norm-matmul oracle multiplies a row of unit mean square, whatever its scale', () => {
  const w = [1, 0, 0, 1, 1, 1]
  expect(normMatmulRef([3, 4], [1, 2], 0, w, [0, 0, 1])).toBeClose(
    [3, 8, 11].map((value, n) => value / Math.sqrt(12.5) + (n === 2 ? 1 : 0)),
    { rtol: 1e-12 },
  )
  expect(normMatmulRef([300, 400], [1, 2], 0, w)).toBeClose(normMatmulRef([3, 4], [1, 2], 0, w), {
    rtol: 1e-12,
  })
})
