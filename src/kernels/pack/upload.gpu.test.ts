import { expect, test } from 'vitest'
import { Encoder } from '../gpu/encoder'
import { Arena, createTensor } from '../gpu/memory'
import { testGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { destroyWeight, type WeightDtype } from '../weight'
import { unpackRows } from './pack'
import { emptyWeight, heldAs, rawBytes } from './pack.testing'
import { uploadRows, uploadVector } from './upload'
import type { RawDtype } from './pack'

/** Width 64 is its own stride: rows that keep their dtype go straight where they belong. 70 and f16 from f32 are packed. */
test.each<[number, RawDtype, WeightDtype]>([
  [64, 'f16', 'f16'],
  [64, 'bf16', 'bf16'],
  [64, 'f32', 'f32'],
  [70, 'f16', 'f16'],
  [64, 'f32', 'f16'],
])('rows of %d %s become rows of %s, over the parts of a weight', async (cols, from, to) => {
  const gpu = await testGpu()
  const rows = 300
  const { w } = seeded({ w: [rows, cols] })
  const rowBytes = cols * (from === 'f32' ? 4 : 2)
  // At an odd place of a larger buffer, as pieces of a file lie.
  const block = new Uint8Array(1 + rows * rowBytes)
  block.set(new Uint8Array(rawBytes(w, from).buffer, 0, rows * rowBytes), 1)
  const weight = emptyWeight(gpu, rows, cols, to, 64)
  const arena = new Arena(gpu)
  const enc = new Encoder(gpu, arena, 'upload')
  try {
    for (const [start, end] of [
      [0, 100],
      [100, 300],
    ] as const) {
      const bytes = block.subarray(1 + start * rowBytes, 1 + end * rowBytes)
      uploadRows(enc, weight, bytes, { rowStart: start, rows: end - start, dtype: from })
    }
    const want = Float32Array.from(w, (value) => heldAs(to as RawDtype, heldAs(from, value)))
    expect(await enc.read(unpackRows(enc, weight))).toEqual(want)
  } finally {
    enc.end()
    destroyWeight(gpu, weight)
    arena.destroy()
  }
})

test('an odd number of halves becomes a vector of f32', async () => {
  const gpu = await testGpu()
  const arena = new Arena(gpu)
  const enc = new Encoder(gpu, arena, 'upload')
  const out = createTensor(gpu, 'vector', [5], 'f32')
  try {
    const values = Float32Array.of(1, -2, 0.5, 3, 7)
    uploadVector(enc, out, new Uint8Array(rawBytes(values, 'f16').buffer, 0, 10), 'f16')
    expect(await enc.read(out)).toEqual(values)
  } finally {
    enc.end()
    gpu.destroyBuffer(out.buffer)
    arena.destroy()
  }
})
