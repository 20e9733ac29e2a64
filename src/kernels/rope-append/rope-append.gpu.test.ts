import { describe, expect, test } from 'vitest'
import { createKvCache, destroyKvCache } from '../kv-cache/kv-cache'
import { halfValueRef } from '../pack/pack.ref'
import { ropeFrequencies } from '../rope/rope-frequencies'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded, shaped } from '../testing/numbers'
import { ropeAppend } from './rope-append'
import { ropeAppendCases } from './rope-append.cases'
import { appendedRef, turnedRef } from './rope-append.ref'

const frequenciesOf = (R: number) => {
  const { frequencies } = ropeFrequencies({ theta: 10_000, rotaryDim: R, maxPositions: 4096 }, 1)
  return shaped(frequencies, [R / 2])
}

/** Words of a cache as numbers. */
const decode = (words: Float32Array, dtype: 'f32' | 'f16') =>
  dtype === 'f32'
    ? Float64Array.from(words)
    : Float64Array.from(new Uint16Array(words.buffer), (bits) => halfValueRef(bits))

/** Columns of rows [T, row]. */
const columns = (rows: Float32Array, row: number, start: number, count: number) =>
  Float32Array.from(
    { length: (rows.length / row) * count },
    (_, i) => rows[Math.floor(i / count) * row + start + (i % count)]!,
  )

describe.each(['f32', 'f16'] as const)('rope-append into %s', (dtype) => {
  test.each(ropeAppendCases)(
    'matches the oracle for $H/$KV heads of $D, $R turning, turns of $turns out of fused rows',
    async ({ H, KV, D, R, capacity, scale, turns }) => {
      const gpu = await testGpu()
      const cache = createKvCache(gpu, 'test', { capacity, kvHeads: KV, headDim: D, dtype })
      const Dp = Math.ceil(D / 4) * 4
      const size = KV * Dp * cache.capacity
      const want = { k: new Float64Array(size), v: new Float64Array(size) }
      const frequencies = frequenciesOf(R)
      const row = (H + 2 * KV) * D
      let position = 0
      for (const [turn, T] of turns.entries()) {
        const { qkv } = seeded({ qkv: [T, row] }, turn + 1)
        const at = { T, D, position, scale }
        const got = await onGpu({ qkv, frequencies }, (enc, t) => {
          const heads = (start: number) => ({ rows: t.qkv, start: start * D })
          return {
            y: ropeAppend(enc, { q: heads(0), k: heads(H), v: heads(H + KV) }, cache, {
              heads: H,
              rotaryDim: R,
              frequencies: t.frequencies,
              position: at.position,
              scale,
            }),
          }
        })
        expect(got.y).toBeClose(turnedRef(columns(qkv, row, 0, H * D), frequencies, at), { rtol: 1e-6 })
        const keys = turnedRef(columns(qkv, row, H * D, KV * D), frequencies, at)
        const values = columns(qkv, row, (H + KV) * D, KV * D)
        appendedRef(want, keys, values, { T, KV, D, Dp, capacity: cache.capacity, position })
        position += T
      }
      const words = size / (dtype === 'f16' ? 2 : 1)
      const got = await onGpu({}, () => ({
        k: { ...cache.k, shape: [words], dtype: 'f32' as const },
        v: { ...cache.v, shape: [words], dtype: 'f32' as const },
      }))
      const closeness = dtype === 'f16' ? ('f16' as const) : { rtol: 1e-6 }
      expect(decode(got.k, dtype)).toBeClose(want.k, closeness)
      expect(decode(got.v, dtype)).toBeClose(want.v, closeness)
      destroyKvCache(gpu, cache)
    },
  )
})

describe('rope-append', () => {
  test('refuses what does not fit together', async () => {
    const gpu = await testGpu()
    const cache = createKvCache(gpu, 'test', { capacity: 4, kvHeads: 1, headDim: 16, dtype: 'f32' })
    const { q, k } = seeded({ q: [3, 32], k: [3, 16] })
    const run = (options: { heads?: number; rotaryDim?: number; position?: number }) =>
      onGpu({ q, k, frequencies: frequenciesOf(16) }, (enc, t) => {
        const at = (rows: typeof t.q) => ({ rows, start: 0 })
        return {
          y: ropeAppend(enc, { q: at(t.q), k: at(t.k), v: at(t.k) }, cache, {
            ...{ heads: 2, rotaryDim: 16, position: 0, frequencies: t.frequencies },
            ...options,
          }),
        }
      })
    await expect(run({ heads: 3 })).rejects.toThrow(
      'rope-append: q should be f32 [3, 48] for 3 heads of 16 from column 0 on but is f32 [3, 32]',
    )
    await expect(run({ rotaryDim: 7 })).rejects.toThrow(
      'rope-append: rotaryDim should be even and from 2 to headDim 16 but is 7',
    )
    await expect(run({ position: 2 })).rejects.toThrow(
      "rope-append: 3 tokens at position 2 exceed the cache's 4 tokens",
    )
    destroyKvCache(gpu, cache)
  })
})
