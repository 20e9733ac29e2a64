import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { concatColumnsRef, sliceColumnsRef } from './concat.ref'

describe('concat oracle', () => {
  test('puts rows side by side and repeats a lone one', () => {
    const parts = [
      { data: [1, 2, 3, 4], C: 2 },
      { data: [9], C: 1 },
    ]
    expect([...concatColumnsRef(parts)]).toEqual([1, 2, 9, 3, 4, 9])
    expect([...sliceColumnsRef([1, 2, 9, 3, 4, 9], 3, { start: 1, count: 2 })]).toEqual([2, 9, 4, 9])
  })

  test('a slice is the gradient of a part, its column sums that of a repeated one', () => {
    const { a, b, dy } = seeded({ a: [3, 2], b: [1, 3], dy: [3, 5] })
    const whole = (moved: { a?: ArrayLike<number>; b?: ArrayLike<number> }) =>
      concatColumnsRef([
        { data: moved.a ?? a, C: 2 },
        { data: moved.b ?? b, C: 3 },
      ])
    expect(sliceColumnsRef(dy, 5, { start: 0, count: 2 })).toBeClose(
      finiteDifference((at) => whole({ a: at }), a, dy),
      { rtol: 1e-7 },
    )
    const slice = sliceColumnsRef(dy, 5, { start: 2, count: 3 })
    const sums = [0, 1, 2].map((c) => slice[c]! + slice[c + 3]! + slice[c + 6]!)
    expect(sums).toBeClose(
      finiteDifference((at) => whole({ b: at }), b, dy),
      { rtol: 1e-7 },
    )
  })
})
