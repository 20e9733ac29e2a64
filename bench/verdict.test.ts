import { describe, expect, test } from 'vitest'
import { compareTimes } from './verdict.mjs'

describe('compareTimes', () => {
  test.each([
    ['as fast', [10, 11, 10], [10, 10, 11], 'same'],
    ['slower, but within the threshold', [10, 10, 10], [10.9, 10.9, 10.9], 'same'],
    ['slower in every round', [10, 10, 10], [12, 11.5, 14], 'slower'],
    ['slower by the median alone', [10, 10, 16], [12, 12, 15], 'unclear'],
    ['faster in every round', [12, 14, 12], [10, 10, 10], 'faster'],
    ['faster by the median alone', [12, 12, 10], [10, 10, 11], 'unclear'],
    // The machine slowed down meanwhile; both met it.
    ['as fast under growing load', [10, 20, 40], [10.2, 21, 41], 'same'],
    ['slower under growing load', [10, 20, 40], [12, 24, 48], 'slower'],
    ['one round', [10], [12], 'slower'],
  ])('%s', (_, before, after, verdict) => {
    expect(compareTimes(before, after, 0.1).verdict).toBe(verdict)
  })

  test('tells the median and the range of the ratios of rounds', () => {
    expect(compareTimes([10, 20, 10], [12, 22, 15], 0.1)).toEqual({
      ratio: 1.2,
      lowest: 1.1,
      highest: 1.5,
      verdict: 'slower',
    })
  })

  test('a smaller threshold finds a smaller regression', () => {
    expect(compareTimes([100, 100], [106, 107], 0.1).verdict).toBe('same')
    expect(compareTimes([100, 100], [106, 107], 0.05).verdict).toBe('slower')
  })
})
