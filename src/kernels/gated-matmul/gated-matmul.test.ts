import { expect, test } from 'vitest'
import { gatedMatmulRef } from './gated-matmul.ref'

test('the gated-matmul oracle gates one product by another', () => {
  const half = Math.SQRT1_2 // of the normed row [1, 1] / sqrt(1)
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
  const got = gatedMatmulRef([5, -5], [1, 2], 0, [half, 0, 1, 1], [1, 0, 0, 3])
  expect(got).toBeClose([half * sigmoid(half), -1 * sigmoid(-1) * -6], { rtol: 1e-12 })
})
