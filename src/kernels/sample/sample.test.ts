import { describe, expect, test } from 'vitest'
import { uniformAt } from './random'
import { probabilitiesRef, sampleRef } from './sample.ref'

const off = { history: [], temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1 }

describe('sample oracle', () => {
  test('divides positive and multiplies negative logits of every distinct id once', () => {
    const p = probabilitiesRef([2, -1, 0.5], { ...off, history: [0, 1, 0, 9], repetitionPenalty: 2 })
    const masses = [Math.exp(1), Math.exp(-2), Math.exp(0.5)]
    const total = masses.reduce((a, b) => a + b)
    expect(p).toBeClose(
      masses.map((m) => m / total),
      { rtol: 1e-12 },
    )
  })

  test('top-k keeps the ties of its threshold', () => {
    expect(probabilitiesRef([1, 3, 1, 0], { ...off, topK: 2 })[2]).toBeGreaterThan(0)
    expect(probabilitiesRef([1, 3, 1, 0], { ...off, topK: 2 })[3]).toBe(0)
  })

  test('top-p counts the mass that top-k left, and keeps at least one id', () => {
    const quarters = [0, 0, 0, 0]
    expect([...probabilitiesRef(quarters, { ...off, topP: 0.5 })]).toEqual([0.5, 0.5, 0, 0])
    expect([...probabilitiesRef(quarters, { ...off, topP: 0 })]).toEqual([1, 0, 0, 0])
    // The best id holds 73 % of the two that top-k leaves, but 44 % of all.
    const logits = [2, 1, 0.9, 0.8, 0.7]
    expect(probabilitiesRef(logits, { ...off, topK: 2, topP: 0.7 })[0]).toBe(1)
    expect(probabilitiesRef(logits, { ...off, topP: 0.7 })[1]).toBeGreaterThan(0)
  })

  test('draws each id as often as it is probable', () => {
    const logits = [0, 1, -1, 0.5]
    const p = probabilitiesRef(logits, off)
    const counts = new Float64Array(4)
    for (let seed = 0; seed < 20_000; seed++) {
      const id = sampleRef(logits, { ...off, seed, step: 3 })
      counts[id] = counts[id]! + 1 / 20_000
    }
    expect(counts).toBeClose(p, { atol: 0.012, rtol: 0 })
  })
})

describe('uniformAt', () => {
  test('is even over steps, over seeds, and over seeds beyond 32 bits', () => {
    for (const at of [
      (i: number) => uniformAt(7, i),
      (i: number) => uniformAt(i, 0),
      (i: number) => uniformAt(i * 2 ** 32, 5),
    ]) {
      const bins = new Float64Array(64)
      for (let i = 0; i < 64_000; i++) {
        const value = at(i)
        bins[Math.floor(value * 64)]!++ // a value outside [0, 1) would be missing from the sum below
      }
      expect(bins.reduce((sum, n) => sum + n)).toBe(64_000)
      const chiSquare = bins.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)
      // 63 degrees of freedom: 120 is exceeded once in 30,000 draws of a fair generator; 20 would be too even.
      expect(chiSquare).toBeLessThan(120)
      expect(chiSquare).toBeGreaterThan(20)
    }
  })

  test('neighbouring steps of one seed are unrelated', () => {
    let products = 0
    for (let i = 0; i < 20_000; i++) products += (uniformAt(1, i) - 0.5) * (uniformAt(1, i + 1) - 0.5)
    expect(Math.abs(products / 20_000) * 12).toBeLessThan(0.03)
  })
})
