import { describe, expect, test } from 'vitest'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { attentionBackward, attentionCausal } from './attention-backward'
import { attentionBackwardCases } from './attention.cases'
import { attentionBackwardRef, attentionRef } from './attention.ref'

interface Case {
  T: number
  H: number
  KV: number
  D: number
  window?: number
}

describe('attention-backward', () => {
  test.each(attentionBackwardCases as Case[])(
    'matches the oracle for $T tokens, $H/$KV heads of $D',
    async ({ T, H, KV, D, window }) => {
      const inputs = seeded({ q: [T, H * D], k: [T, KV * D], v: [T, KV * D], dy: [T, H * D] })
      const { q, k, v, dy } = inputs
      const got = await onGpu(inputs, (enc, t) => {
        const options = { heads: H, kvHeads: KV, slidingWindow: window }
        const saved = attentionCausal(enc, t.q, t.k, t.v, options)
        return { y: saved.y, ...attentionBackward(enc, t.dy, t.q, t.k, t.v, saved, options) }
      })
      const causal = { position: 0, window: window ?? Infinity }
      const dims = { B: 1, T, S: T, H, KV, D, scale: 1 / Math.sqrt(D), causal }
      const want = attentionBackwardRef(dy, q, k, v, dims)
      expect(got.y).toBeClose(attentionRef(q, k, v, dims))
      expect(got.dq).toBeClose(want.dq)
      expect(got.dk).toBeClose(want.dk)
      expect(got.dv).toBeClose(want.dv)
    },
  )

  test('gives the same bits again, with what the forward pass saved and without', async () => {
    const inputs = seeded({ q: [70, 64], k: [70, 32], v: [70, 32], dy: [70, 64] })
    const options = { heads: 4, kvHeads: 2 }
    const run = (keep: boolean) =>
      onGpu(inputs, (enc, t) => {
        const saved = keep ? attentionCausal(enc, t.q, t.k, t.v, options) : undefined
        return attentionBackward(enc, t.dy, t.q, t.k, t.v, saved, options)
      })
    const [kept, again] = [await run(true), await run(false)]
    for (const name of ['dq', 'dk', 'dv'] as const) expect(again[name]).toEqual(kept[name])
  })

  test('gives the same where dispatches are cut short', async () => {
    const gpu = await testGpu()
    const inputs = seeded({ q: [70, 64], k: [70, 32], v: [70, 32], dy: [70, 64] })
    const run = () =>
      onGpu(inputs, (enc, t) =>
        attentionBackward(enc, t.dy, t.q, t.k, t.v, undefined, { heads: 4, kvHeads: 2 }),
      )
    const whole = await run()
    const { caps } = gpu
    try {
      Object.assign(gpu, { caps: { ...caps, maxDispatchFlops: 1000 } })
      expect(await run()).toEqual(whole)
    } finally {
      Object.assign(gpu, { caps })
    }
  })

  test('refuses keys of another length', async () => {
    const inputs = seeded({ q: [4, 32], k: [3, 32] })
    await expect(
      onGpu(inputs, (enc, t) => attentionBackward(enc, t.q, t.q, t.k, t.k, undefined, { heads: 2 })),
    ).rejects.toThrow('attention-backward: k should be [4, 32] but is [3, 32]')
  })
})
