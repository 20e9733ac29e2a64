import { describe, expect, test } from 'vitest'
import type { Capabilities } from '../gpu/device'
import { withCaps } from '../testing/caps'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { attentionBackward, attentionCausal, attentionTakesSpans } from './attention-backward'
import { attentionBackwardCases } from './attention.cases'
import { attentionBackwardRef, attentionRef } from './attention.ref'

interface Case {
  T: number
  H: number
  KV: number
  D: number
  window?: number
}

const forms: { form: string; caps: Partial<Capabilities> }[] = [
  { form: 'the form of this device', caps: {} },
  { form: 'the form without subgroups', caps: { subgroups: undefined } },
]

describe.each(forms)('attention-backward by $form', ({ caps }) => {
  test.each(attentionBackwardCases as Case[])(
    'matches the oracle for $T tokens, $H/$KV heads of $D',
    ({ T, H, KV, D, window }) =>
      withCaps(caps, async () => {
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
      }),
  )

  test('gives the same bits again, with what the forward pass saved and without', () =>
    withCaps(caps, async () => {
      const inputs = seeded({ q: [70, 64], k: [70, 32], v: [70, 32], dy: [70, 64] })
      const options = { heads: 4, kvHeads: 2 }
      const run = (keep: boolean) =>
        onGpu(inputs, (enc, t) => {
          const saved = keep ? attentionCausal(enc, t.q, t.k, t.v, options) : undefined
          return attentionBackward(enc, t.dy, t.q, t.k, t.v, saved, options)
        })
      const [kept, again] = [await run(true), await run(false)]
      for (const name of ['dq', 'dk', 'dv'] as const) expect(again[name]).toEqual(kept[name])
    }))

  test('gives the same where dispatches are cut short', () =>
    withCaps(caps, async () => {
      const inputs = seeded({ q: [70, 64], k: [70, 32], v: [70, 32], dy: [70, 64] })
      const run = () =>
        onGpu(inputs, (enc, t) =>
          attentionBackward(enc, t.dy, t.q, t.k, t.v, undefined, { heads: 4, kvHeads: 2 }),
        )
      const whole = await run()
      await withCaps({ maxDispatchFlops: 1000 }, async () => expect(await run()).toEqual(whole))
    }))
})

/** Ends of sequences straddle tiles of 32 keys, of 16 rows, and steps of four. */
const sequenceCases = [
  { counts: [1, 2, 40, 31, 65], H: 6, KV: 2, D: 32 },
  { counts: [33, 7, 100], H: 4, KV: 4, D: 20 },
  { counts: [50, 60], H: 2, KV: 1, D: 18, window: 9 },
]

describe('attention of several sequences', () => {
  test.for(sequenceCases)(
    'is that of each alone, $counts tokens, $H/$KV heads of $D',
    async ({ counts, H, KV, D, window }, { skip }) => {
      const T = counts.reduce((sum, count) => sum + count, 0)
      const { caps } = await testGpu()
      if (!attentionTakesSpans(caps, T, H / KV)) skip('sequences attend one by one on GPUs')
      const inputs = seeded({ q: [T, H * D], k: [T, KV * D], v: [T, KV * D], dy: [T, H * D] })
      const starts = counts.map((_, i) => counts.slice(0, i).reduce((sum, count) => sum + count, 0))
      const spans = counts.flatMap((count, i) =>
        Array.from({ length: count }, () => [starts[i]!, starts[i]! + count]),
      )
      const got = await onGpu(inputs, (enc, t) => {
        const options = {
          heads: H,
          kvHeads: KV,
          slidingWindow: window,
          spans: {
            ofTokens: enc.constant(Uint32Array.from(spans.flat()), [T, 2]),
            longest: Math.max(...counts),
          },
        }
        const saved = attentionCausal(enc, t.q, t.k, t.v, options)
        return { y: saved.y, ...attentionBackward(enc, t.dy, t.q, t.k, t.v, saved, options) }
      })
      const causal = { position: 0, window: window ?? Infinity }
      for (const [i, count] of counts.entries()) {
        const of = (x: ArrayLike<number>, heads: number) =>
          Array.from(x).slice(starts[i]! * heads * D, (starts[i]! + count) * heads * D)
        const dims = { B: 1, T: count, S: count, H, KV, D, scale: 1 / Math.sqrt(D), causal }
        const [q, k, v, dy] = [of(inputs.q, H), of(inputs.k, KV), of(inputs.v, KV), of(inputs.dy, H)]
        const want = attentionBackwardRef(dy, q, k, v, dims)
        expect(of(got.y, H)).toBeClose(attentionRef(q, k, v, dims))
        expect(of(got.dq, H)).toBeClose(want.dq)
        expect(of(got.dk, KV)).toBeClose(want.dk)
        expect(of(got.dv, KV)).toBeClose(want.dv)
      }
    },
  )
})

describe('attention-backward', () => {
  test('refuses keys of another length', async () => {
    const inputs = seeded({ q: [4, 32], k: [3, 32] })
    await expect(
      onGpu(inputs, (enc, t) => attentionBackward(enc, t.q, t.q, t.k, t.k, undefined, { heads: 2 })),
    ).rejects.toThrow('attention-backward: k should be [4, 32] but is [3, 32]')
  })
})
