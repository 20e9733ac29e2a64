import { describe, expect, test } from 'vitest'
import { createTensor } from '../gpu/memory'
import type { KvCache } from '../kv-layout'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import type { Tensor } from '../tensor'
import { attentionWeights, attentionWeightsInto } from './attention-weights'
import { attentionWeightsCases, type AttentionWeightsCase } from './attention-weights.cases'
import { attentionWeightsRef } from './attention-weights.ref'

/** Bits of a float16: numbers here are normal and exact in it. */
function halfBits(value: number): number {
  if (value === 0) return 0
  const exponent = Math.floor(Math.log2(Math.abs(value)))
  const fraction = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024)
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction
}

/** Multiples of 1/16 with at most 8 digits, which f16 holds exactly. */
const exact = (data: Float32Array) => data.set(data.map((value) => Math.round(value * 16) / 16))

/** A cache that holds keys [length, KV*D]; what lies beyond them is large, to be seen if it is taken for keys. */
async function cacheOf(
  k: Float32Array,
  dtype: 'f32' | 'f16',
  { length, capacity, KV, D }: AttentionWeightsCase,
) {
  const gpu = await testGpu()
  const Dp = Math.ceil(D / 4) * 4
  const keys = new Float32Array(KV * Dp * capacity).fill(64)
  for (let h = 0; h < KV; h++) {
    for (let d = 0; d < D; d++) {
      for (let i = 0; i < length; i++) keys[(h * Dp + d) * capacity + i] = k[(i * KV + h) * D + d]!
    }
  }
  const tensor = createTensor(gpu, 'keys', [KV, Dp, capacity], dtype)
  const words = dtype === 'f32' ? keys : new Uint32Array(Uint16Array.from(keys, halfBits).buffer)
  gpu.device.queue.writeBuffer(tensor.buffer, 0, words)
  const cache: KvCache = { k: tensor, v: tensor, capacity, kvHeads: KV, headDim: D, dtype }
  return { cache, free: () => gpu.destroyBuffer(tensor.buffer) }
}

describe.each(['f32', 'f16'] as const)('attention-weights over a cache of %s', (dtype) => {
  test.each(attentionWeightsCases)(
    'matches the oracle for $range of $length positions, $H/$KV heads of $D',
    async (weightsCase) => {
      const { H, KV, D, length, range, scale } = weightsCase
      const { q, k, into } = seeded({ q: [1, H * D], k: [length, KV * D], into: [range.count] })
      exact(k)
      const { cache, free } = await cacheOf(k, dtype, weightsCase)
      const options = { heads: H, length, range, scale }
      const got = await onGpu({ q, into }, (enc, t) => {
        attentionWeightsInto(enc, t.into, t.q, cache, { ...options, factor: 0.25 })
        return { weights: attentionWeights(enc, t.q, cache, options), into: t.into as Tensor }
      })
      const want = attentionWeightsRef(q, k, weightsCase).subarray(range.start, range.start + range.count)
      expect(got.weights).toBeClose(want, { rtol: 2e-5 })
      expect(got.into).toBeClose(want.map((weight, i) => into[i]! + 0.25 * weight))
      free()
    },
  )
})

describe('attention-weights', () => {
  const small: AttentionWeightsCase = {
    length: 301,
    capacity: 304,
    H: 2,
    KV: 1,
    D: 4,
    range: { start: 0, count: 301 },
  }

  test('gives the same where dispatches are cut short', async () => {
    const gpu = await testGpu()
    const { q, k } = seeded({ q: [1, 8], k: [301, 4] })
    const { cache, free } = await cacheOf(k, 'f32', small)
    const options = { heads: 2, length: 301, range: small.range }
    const run = () => onGpu({ q }, (enc, t) => ({ weights: attentionWeights(enc, t.q, cache, options) }))
    const whole = await run()
    const { caps } = gpu
    try {
      Object.assign(gpu, { caps: { ...caps, maxDispatchFlops: 1 } })
      expect(await run()).toEqual(whole)
    } finally {
      Object.assign(gpu, { caps })
      free()
    }
  })

  test('refuses heads, lengths and ranges that do not fit the cache', async () => {
    const { q, k } = seeded({ q: [1, 8], k: [301, 4] })
    const { cache, free } = await cacheOf(k, 'f32', small)
    const attempt = (options: {
      heads?: number
      length?: number
      range?: { start: number; count: number }
    }) =>
      onGpu({ q }, (enc, t) => ({
        weights: attentionWeights(enc, t.q, cache, {
          heads: 2,
          length: 301,
          range: small.range,
          ...options,
        }),
      }))
    await expect(attempt({ heads: 3 })).rejects.toThrow(
      'attention-weights: q should be [1, 12] but is [1, 8]',
    )
    await expect(attempt({ length: 305 })).rejects.toThrow(
      'attention-weights: length should be 1 to 304, what the cache holds, but is 305',
    )
    await expect(attempt({ range: { start: 300, count: 2 } })).rejects.toThrow(
      'attention-weights: range should lie in the 301 positions but is 300 to 302',
    )
    free()
  })
})
