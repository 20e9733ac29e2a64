import { describe, expect, test } from 'vitest'
import { seeded } from '../testing/numbers'
import { attentionWeightsRef } from './attention-weights.ref'

describe('attention-weights oracle', () => {
  test('sums to one over all positions', () => {
    const { q, k } = seeded({ q: [1, 12], k: [9, 6] })
    const weights = attentionWeightsRef(q, k, { H: 4, KV: 2, D: 3, length: 9 })
    expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 12)
  })

  test('gives the shares of two positions by hand', () => {
    // One head; scores are 0 and log 3: shares 1/4 and 3/4.
    const weights = attentionWeightsRef([1], [0, Math.log(3)], { H: 1, KV: 1, D: 1, length: 2 })
    expect(weights[0]).toBeCloseTo(0.25, 12)
    expect(weights[1]).toBeCloseTo(0.75, 12)
  })
})
