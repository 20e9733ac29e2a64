import { appendKv, attention, createKvCache, uploadTensor } from '../../src/kernels'
import { attentionRef } from '../../src/kernels/attention/attention.ref'
import { seeded } from '../../src/kernels/testing/numbers'
import type { AttentionPreset } from '../presets.mjs'
import { relativeError, type Bench, type Subject } from './subject'

/** Causal attention over an f16 cache, and the append of the new tokens' keys and values, as in a decoder block. */
export async function attentionSubject({ gpu, enc }: Bench, preset: AttentionPreset): Promise<Subject> {
  const { T, past, heads: H, kvHeads: KV, headDim: D } = preset
  const S = past + T
  const data = seeded({ q: [T, H * D], k: [S, KV * D], v: [S, KV * D] })
  const q = uploadTensor(gpu, 'q', [T, H * D], data.q)
  const k = uploadTensor(gpu, 'k', [S, KV * D], data.k)
  const v = uploadTensor(gpu, 'v', [S, KV * D], data.v)
  const cache = createKvCache(gpu, 'cache', { capacity: S, kvHeads: KV, headDim: D, dtype: 'f16' })
  appendKv(enc, cache, k, v, 0)
  const newRows = (tensor: typeof k, values: Float32Array<ArrayBuffer>) =>
    past ? uploadTensor(gpu, 'new rows', [T, KV * D], values.slice(past * KV * D)) : tensor
  const newK = newRows(k, data.k)
  const newV = newRows(v, data.v)
  const record = () => {
    appendKv(enc, cache, newK, newV, past)
    return attention(enc, q, cache, { heads: H, position: past })
  }
  return {
    async check() {
      const y = await enc.read(record())
      enc.end()
      const dims = { B: 1, T, S, H, KV, D, scale: 1 / Math.sqrt(D) }
      const want = attentionRef(data.q, data.k, data.v, { ...dims, causal: { position: past, window: S } })
      // The cache rounds keys and values to f16.
      return { error: relativeError(y, want), allowed: 2e-3 }
    },
    async run(units) {
      for (let i = 0; i < units; i++) {
        enc.scope(record)
        enc.end()
      }
      await gpu.finish()
    },
    dispatches() {
      const before = enc.dispatches
      enc.scope(record)
      enc.end()
      return enc.dispatches - before
    },
  }
}
