import { expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { crossEntropyRef } from './cross-entropy.ref'

test('cross-entropy oracle: its gradient agrees with central differences for a random cotangent', () => {
  const { logits, scales } = seeded({ logits: [4, 7], scales: [4] })
  const labels = [6, 0, 0xffffffff, 3]
  const numeric = finiteDifference((at) => crossEntropyRef(at, labels, scales).losses, logits, scales)
  expect(crossEntropyRef(logits, labels, scales).gradient).toBeClose(numeric, { rtol: 1e-7 })
})

test('cross-entropy oracle: equal logits share the probability, a label far above has no loss', () => {
  const { losses } = crossEntropyRef([5, 5, 5, 5, 1e4, 0, 0, 0], [1, 0], [1, 1])
  expect(losses[0]).toBeCloseTo(Math.log(4), 12)
  expect(losses[1]).toBe(0)
})
