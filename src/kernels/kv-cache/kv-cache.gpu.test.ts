import { describe, expect, test } from 'vitest'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { reshape, type Tensor } from '../tensor'
import { appendKv, createKvCache, destroyKvCache, kvCacheBytes } from './kv-cache'
import { kvCacheCases } from './kv-cache.cases'
import { appendKvRef } from './kv-cache.ref'

/** Words of a cache as numbers. */
function decode(words: Float32Array, dtype: 'f32' | 'f16'): Float64Array {
  if (dtype === 'f32') return Float64Array.from(words)
  return Float64Array.from(new Uint16Array(words.buffer), (bits) => {
    const fraction = bits & 0x3ff
    const exponent = (bits >> 10) & 31
    const magnitude = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24
    return bits & 0x8000 ? -magnitude : magnitude
  })
}

describe.each(['f32', 'f16'] as const)('kv-cache %s', (dtype) => {
  test.each(kvCacheCases)(
    'holds $KV heads of $D after turns of $turns',
    async ({ KV, D, capacity, turns }) => {
      const gpu = await testGpu()
      const cache = createKvCache(gpu, 'test', { capacity, kvHeads: KV, headDim: D, dtype })
      const Dp = Math.ceil(D / 4) * 4
      const want = {
        k: new Float64Array(KV * Dp * cache.capacity),
        v: new Float64Array(KV * Dp * cache.capacity),
      }
      let position = 0
      for (const [turn, T] of turns.entries()) {
        const { k, v } = seeded({ k: [T, KV * D], v: [T, KV * D] }, turn + 1)
        appendKvRef(want, k, v, { T, KV, D, Dp, capacity: cache.capacity, position })
        const at = position
        await onGpu({ k, v }, (enc, t) => {
          appendKv(enc, cache, t.k, t.v, at)
          return {}
        })
        position += T
      }
      const words = (cache.k.shape[0]! * cache.k.shape[1]! * cache.k.shape[2]!) / (dtype === 'f16' ? 2 : 1)
      const got = await onGpu({}, () => ({
        k: { ...cache.k, shape: [words], dtype: 'f32' as const },
        v: { ...cache.v, shape: [words], dtype: 'f32' as const },
      }))
      const closeness = dtype === 'f16' ? ('f16' as const) : { rtol: 0 }
      expect(decode(got.k, dtype)).toBeClose(want.k, closeness)
      expect(decode(got.v, dtype)).toBeClose(want.v, closeness)
      destroyKvCache(gpu, cache)
    },
  )
})

describe('kv-cache', () => {
  test('takes keys and values out of fused rows', async () => {
    const gpu = await testGpu()
    const options = { capacity: 8, kvHeads: 1, headDim: 16, dtype: 'f32' as const }
    const cache = createKvCache(gpu, 'test', options)
    const { qkv } = seeded({ qkv: [3, 64] })
    const got = await onGpu({ qkv }, (enc, t) => {
      appendKv(enc, cache, t.qkv, t.qkv, 2, { kStart: 32, vStart: 48 })
      return { k: cache.k, v: cache.v }
    })
    const want = { k: new Float64Array(128), v: new Float64Array(128) }
    const columns = (start: number) =>
      Float32Array.from({ length: 48 }, (_, i) => qkv[Math.floor(i / 16) * 64 + start + (i % 16)]!)
    const dims = { T: 3, KV: 1, D: 16, Dp: 16, capacity: 8, position: 2 }
    appendKvRef(want, columns(32), columns(48), dims)
    expect(got.k).toBeClose(want.k, { rtol: 0 })
    expect(got.v).toBeClose(want.v, { rtol: 0 })
    expect(kvCacheBytes(options)).toBe(2 * 128 * 4)
    destroyKvCache(gpu, cache)
  })

  test('saturates what f16 cannot hold', async () => {
    const gpu = await testGpu()
    const cache = createKvCache(gpu, 'test', { capacity: 4, kvHeads: 1, headDim: 16, dtype: 'f16' })
    const { k, v } = seeded({ k: [1, 16], v: [1, 16] })
    v[0] = 1e6
    v[1] = -1e6
    const got = await onGpu({ k, v }, (enc, t) => {
      appendKv(enc, cache, t.k, t.v, 0)
      return { v: { ...cache.v, shape: [32], dtype: 'f32' as const } }
    })
    expect([...decode(got.v, 'f16').subarray(0, 2)]).toEqual([65504, -65504])
    destroyKvCache(gpu, cache)
  })

  test('refuses tokens past its end and rows of the wrong width', async () => {
    const gpu = await testGpu()
    const cache = createKvCache(gpu, 'test', { capacity: 4, kvHeads: 2, headDim: 16, dtype: 'f32' })
    const { rows } = seeded({ rows: [3, 32] })
    const run = (record: Parameters<typeof onGpu<{ rows: typeof rows }, Record<string, Tensor>>>[1]) =>
      onGpu({ rows }, record)
    await expect(
      run((enc, t) => {
        appendKv(enc, cache, t.rows, t.rows, 2)
        return {}
      }),
    ).rejects.toThrow('kv-cache: 3 tokens at position 2 exceed its 4 tokens')
    await expect(
      run((enc, t) => {
        appendKv(enc, cache, reshape(t.rows, [6, 16]), t.rows, 0)
        return {}
      }),
    ).rejects.toThrow('kv-cache: k should be [6, 32] for 2 heads of 16 but is [6, 16]')
    destroyKvCache(gpu, cache)
  })
})
