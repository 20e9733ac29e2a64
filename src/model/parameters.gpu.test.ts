import { expect, test } from 'vitest'
import { Arena, Encoder, packRows, unpackRows, uploadTensor } from '../kernels'
import { testGpu } from '../kernels/testing/gpu'
import { seeded } from '../kernels/testing/numbers'
import { WeightStore } from './parameters'

const within = (start: number) => ({ name: 'layer.qkv.weight', start, rows: 96 })

test('a whole holds what is packed into its parts, and goes with the store', async () => {
  const gpu = await testGpu()
  const arena = new Arena(gpu)
  const store = new WeightStore(gpu)
  const { q, k } = seeded({ q: [64, 32], k: [32, 32] })
  const enc = new Encoder(gpu, arena, 'test')
  for (const [name, values, start] of [
    ['layer.q.weight', q, 0],
    ['layer.k.weight', k, 64],
  ] as const) {
    expect(store.at('layer').optionalMatrix('qkv.weight')).toBeUndefined()
    const rows = values.shape[0]!
    const weight = store.addMatrix(name, rows, 32, 'f32', within(start))
    const raw = { ...uploadTensor(gpu, 'raw', [values.length], values), dtype: 'u32' as const }
    packRows(enc, weight, raw, { rowStart: 0, rows, dtype: 'f32' })
    enc.end()
    gpu.destroyBuffer(raw.buffer)
  }
  expect(await enc.read(unpackRows(enc, store.matrix('layer.qkv.weight')))).toEqual(
    Float32Array.from([...q, ...k]),
  )
  expect(await enc.read(unpackRows(enc, store.matrix('layer.k.weight')))).toEqual(Float32Array.from(k))
  const bias = store.addVector('q.bias', [64], { name: 'qkv.bias', start: 0, rows: 96 })
  const last = store.addVector('k.bias', [32], { name: 'qkv.bias', start: 64, rows: 96 })
  expect([bias.offset, last.offset]).toEqual([0, 256])
  expect(store.vector('qkv.bias').buffer).toBe(last.buffer)
  enc.end()
  const held = gpu.allocatedBytes
  store.destroy()
  expect(held - gpu.allocatedBytes).toBe(4 * (96 * 32 + 96))
  arena.destroy()
})

test('parts of other dtypes stay apart, and there is no whole', async () => {
  const gpu = await testGpu()
  const before = gpu.allocatedBytes
  const store = new WeightStore(gpu)
  store.addMatrix('q.weight', 64, 32, 'f16', within(0))
  const k = store.addMatrix('k.weight', 32, 32, 'bf16', within(64))
  expect([k.dtype, k.rows]).toEqual(['bf16', 32])
  expect(k.parts[0]!.data.buffer).not.toBe(store.matrix('q.weight').parts[0]!.data.buffer)
  expect(() => store.matrix('layer.qkv.weight')).toThrow('no matrix "layer.qkv.weight"')
  store.destroy()
  expect(gpu.allocatedBytes).toBe(before)
})
