import { describe, expect, test } from 'vitest'
import { appendedRef, turnedRef } from './rope-append.ref'

describe('rope-append oracle', () => {
  test('turns a pair by its position and keeps the rest', () => {
    const got = turnedRef([1, 2, 3, 1, 2, 3], [Math.PI / 2], { T: 2, D: 3, position: 0, scale: 1 })
    expect(got).toBeClose([1, 2, 3, -2, 1, 3], { rtol: 1e-6 })
  })

  test('scores of turned rows depend on their distance alone', () => {
    const at = (row: number[], position: number) =>
      turnedRef(row, [1, 0.1], { T: 1, D: 4, position, scale: 1 })
    const score = (m: number, n: number) => {
      const [q, k] = [at([1, -2, 0.5, 3], m), at([0.3, 1, -1, 2], n)]
      return q.reduce((sum, value, i) => sum + value * k[i]!, 0)
    }
    expect(score(9, 4)).toBeCloseTo(score(105, 100), 4)
  })

  test('lays keys along the tokens and values along the head', () => {
    const cache = { k: new Float64Array(8), v: new Float64Array(8) }
    appendedRef(cache, [1, 2], [3, 4], { T: 1, KV: 1, D: 2, Dp: 2, capacity: 4, position: 2 })
    expect([...cache.k]).toEqual([0, 0, 1, 0, 0, 0, 2, 0])
    expect([...cache.v]).toEqual([0, 0, 0, 0, 3, 4, 0, 0])
  })
})
