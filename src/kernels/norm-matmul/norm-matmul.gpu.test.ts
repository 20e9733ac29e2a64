import { describe, expect, test } from 'vitest'
import { withCaps } from '../testing/caps'
import { seeded } from '../testing/numbers'
import { withWeights } from '../testing/weights'
import type { WeightDtype } from '../weight'
import { normMatmul } from './norm-matmul'
import { normMatmulCases } from './norm-matmul.cases'
import { normMatmulRef } from './norm-matmul.ref'

const EPS = 1e-5
const dtypes = ['f32', 'f16', 'bf16', 'q8', 'q4'] as const

async function product(dtype: WeightDtype, { N, K }: { N: number; K: number }, isBiased = true) {
  const { x, gain, w, bias } = seeded({ x: [1, K], gain: [K], w: [N, K], bias: [N] })
  const got = await withWeights({ w }, { dtype }, { x, gain, bias }, (enc, { w }, t) => ({
    y: normMatmul(enc, t.x, { gain: t.gain, eps: EPS }, w, isBiased ? t.bias : undefined),
  }))
  expect(got.y).toBeClose(normMatmulRef(x, gain, EPS, got.held_w, isBiased ? bias : undefined))
}

describe('norm-matmul', () => {
  describe.each(dtypes)('%s', (dtype) => {
    test.each(normMatmulCases)('matches the oracle for [1, $K] x [$N, $K]', (size) => product(dtype, size))
  })

  test('matches it without a bias', () => product('f16', { N: 97, K: 896 }, false))

  test.each(['f16', 'q4'] as const)('matches it where lanes meet in workgroup memory, %s', (dtype) =>
    withCaps({ subgroups: undefined }, () => product(dtype, { N: 97, K: 896 })),
  )

  test('matches it with the lanes of a GPU', () =>
    withCaps({ isSoftware: false, subgroups: undefined }, async () => {
      await product('q4', { N: 97, K: 896 })
      await product('f16', { N: 2100, K: 64 })
    }))

  test('walks a weight in several parts, cut into dispatches', () =>
    withCaps({ maxDispatchFlops: 2 * 64 * 40 }, async () => {
      const { x, gain, w, bias } = seeded({ x: [1, 64], gain: [64], w: [200, 64], bias: [200] })
      const weight = { dtype: 'q8', partRows: 128 } as const
      const got = await withWeights({ w }, weight, { x, gain, bias }, (enc, { w }, t) => {
        const before = enc.dispatches
        const y = normMatmul(enc, t.x, { gain: t.gain, eps: EPS }, w, t.bias)
        expect(enc.dispatches - before).toBe(4 + 3)
        return { y }
      })
      expect(got.y).toBeClose(normMatmulRef(x, gain, EPS, got.held_w, bias))
    }))

  test('refuses more rows, lengths that need padding, and shapes that do not fit', async () => {
    const { two, x, odd, w, narrow } = seeded({
      two: [2, 32],
      x: [1, 32],
      odd: [1, 31],
      w: [5, 32],
      narrow: [5, 31],
    })
    const run = (name: 'two' | 'odd' | 'x', weight: 'w' | 'narrow') =>
      withWeights({ w, narrow }, { dtype: 'f32' }, { two, x, odd }, (enc, weights, t) => ({
        y: normMatmul(enc, t[name], { gain: t.odd, eps: EPS }, weights[weight]),
      }))
    await expect(run('two', 'w')).rejects.toThrow(
      'norm-matmul: x should be f32 [1, K] with K = 32 a multiple of 32 for w [5, 32] but is f32 [2, 32]',
    )
    await expect(run('odd', 'narrow')).rejects.toThrow('K = 31 a multiple of 32')
    await expect(run('x', 'w')).rejects.toThrow('norm-matmul: gain for w should be [32] but is [1, 31]')
  })
})
