import { describe, expect, test } from 'vitest'
import type { GateActivation } from '../activation-kinds'
import { withCaps } from '../testing/caps'
import { seeded } from '../testing/numbers'
import { withWeights } from '../testing/weights'
import type { WeightDtype } from '../weight'
import { gatedMatmul } from './gated-matmul'
import { gatedMatmulCases } from './gated-matmul.cases'
import { gatedMatmulRef } from './gated-matmul.ref'

const EPS = 1e-5
const dtypes = ['f32', 'f16', 'bf16', 'q8', 'q4'] as const

async function product(dtype: WeightDtype, { F, K }: { F: number; K: number }, kind?: GateActivation) {
  const { x, gain, gate, up } = seeded({ x: [1, K], gain: [K], gate: [F, K], up: [F, K] })
  const got = await withWeights({ gate, up }, { dtype }, { x, gain }, (enc, { gate, up }, t) => ({
    y: gatedMatmul(enc, t.x, gate, up, { gain: t.gain, eps: EPS, ...(kind && { kind }) }),
  }))
  expect(got.y).toBeClose(gatedMatmulRef(x, gain, EPS, got.held_gate, got.held_up, kind))
}

describe('gated-matmul', () => {
  describe.each(dtypes)('%s', (dtype) => {
    test.each(gatedMatmulCases)('matches the oracle for [1, $K] x 2 [$F, $K]', (size) => product(dtype, size))
  })

  test.each(['f16', 'q4'] as const)('matches it where lanes meet in workgroup memory, %s', (dtype) =>
    withCaps({ subgroups: undefined }, () => product(dtype, { F: 97, K: 896 })),
  )

  test('matches it with the lanes of a GPU and gelu_tanh', () =>
    withCaps({ isSoftware: false, subgroups: undefined }, () =>
      product('q8', { F: 97, K: 896 }, 'gelu_tanh'),
    ))

  test('walks weights in several parts, cut into dispatches', () =>
    withCaps({ maxDispatchFlops: 4 * 64 * 20 }, async () => {
      const { x, gain, gate, up } = seeded({ x: [1, 64], gain: [64], gate: [200, 64], up: [200, 64] })
      const weight = { dtype: 'q4', partRows: 128 } as const
      const got = await withWeights({ gate, up }, weight, { x, gain }, (enc, { gate, up }, t) => {
        const before = enc.dispatches
        const y = gatedMatmul(enc, t.x, gate, up, { gain: t.gain, eps: EPS })
        expect(enc.dispatches - before).toBe(8 + 5)
        return { y }
      })
      expect(got.y).toBeClose(gatedMatmulRef(x, gain, EPS, got.held_gate, got.held_up))
    }))

  test('refuses more rows, weights of other sizes and gains that do not fit', async () => {
    const values = seeded({ two: [2, 32], x: [1, 32], gate: [5, 32], up: [5, 32], other: [6, 32] })
    const { two, x, gate, up, other } = values
    const run = (row: 'two' | 'x', second: 'up' | 'other') =>
      withWeights({ gate, up, other }, { dtype: 'f32' }, { two, x }, (enc, weights, t) => ({
        y: gatedMatmul(enc, t[row], weights.gate, weights[second], { gain: t.two, eps: EPS }),
      }))
    await expect(run('two', 'up')).rejects.toThrow('but x is f32 [2, 32], w f32 [5, 32] and w f32 [5, 32]')
    await expect(run('x', 'other')).rejects.toThrow('but x is f32 [1, 32], w f32 [5, 32] and w f32 [6, 32]')
    await expect(run('x', 'up')).rejects.toThrow('gated-matmul: gain for w should be [32] but is [2, 32]')
  })
})
