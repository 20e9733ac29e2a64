import { describe, expect, test } from 'vitest'
import type { Gpu } from '../gpu/device'
import { uploadTensor } from '../gpu/memory'
import { onGpu, testGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { generator } from '../testing/numbers'
import {
  BLOCK,
  ELEMENTS_PER_WORD,
  destroyWeight,
  isQuantised,
  type Weight,
  type WeightDtype,
} from '../weight'
import { embedding } from './embedding'
import { embeddingCases, tableDtypes } from './embedding.cases'
import { embeddingRef, unpackTableRef } from './embedding.ref'

/** A word of random elements in [-8, 8), finite in every float layout; quantised codes take all their bits. */
function randomWord(dtype: WeightDtype, random: () => number): number {
  const half = () =>
    ((random() < 0.5 ? 0x8000 : 0) | ((12 + Math.floor(random() * 6)) << 10)) + Math.floor(random() * 1024)
  const bf16 = () =>
    ((random() < 0.5 ? 0x8000 : 0) | ((124 + Math.floor(random() * 6)) << 7)) + Math.floor(random() * 128)
  if (dtype === 'f16') return half() + half() * 65536
  if (dtype === 'bf16') return bf16() + bf16() * 65536
  if (dtype === 'f32') return bf16() * 65536 + Math.floor(random() * 65536)
  return Math.floor(random() * 2 ** 32)
}

function randomTable(gpu: Gpu, dtype: WeightDtype, V: number, C: number, splits: readonly number[]) {
  const random = generator(7)
  const stride = Math.ceil(C / BLOCK) * BLOCK
  const words = stride / ELEMENTS_PER_WORD[dtype]
  const blocks = isQuantised(dtype) ? stride / BLOCK : 0
  const data = Uint32Array.from({ length: V * words }, () => randomWord(dtype, random))
  const scales = Uint32Array.from({ length: V * blocks }, () =>
    randomWord(dtype === 'q8' ? 'f32' : 'f16', random),
  )
  const bounds = [0, ...splits, V]
  const weight: Weight = {
    name: 'table',
    rows: V,
    cols: C,
    stride,
    dtype,
    parts: bounds.slice(0, -1).map((rowStart, p) => {
      const end = bounds[p + 1]!
      const part = (all: Uint32Array, perRow: number) =>
        uploadTensor(gpu, 'table', [end - rowStart, perRow], all.slice(rowStart * perRow, end * perRow))
      return {
        rowStart,
        rows: end - rowStart,
        data: part(data, words),
        scales: blocks ? part(scales, blocks) : undefined,
      }
    }),
  }
  return { weight, values: unpackTableRef(dtype, data, scales, V, C) }
}

const randomIds = (count: number, V: number) => {
  const random = generator(3)
  return Uint32Array.from({ length: count }, () => Math.floor(random() * (V + 2)))
}

describe.each(tableDtypes)('embedding from %s', (dtype) => {
  test.each(embeddingCases)(
    'matches the oracle for [$V, $C] split at $splits',
    async ({ V, C, splits, count }) => {
      const gpu = await testGpu()
      const { weight, values } = randomTable(gpu, dtype, V, C, splits)
      const ids = randomIds(count + 5, V)
      ids[3] = 0xffffffff
      const got = await onGpu({}, (enc) => ({
        y: embedding(enc, enc.constant(ids), weight, { start: 2, count, scale: 1.5 }),
      }))
      destroyWeight(gpu, weight)
      expect(got.y).toBeClose(embeddingRef(ids.subarray(2, 2 + count), values, C, 1.5))
    },
  )
})

test('embedding: more than 65,535 rows, and a folded grid', async () => {
  const gpu = await testGpu()
  const { weight, values } = randomTable(gpu, 'f16', 20, 4, [])
  const ids = randomIds(65_537, 20)
  const got = await onGpu({}, (enc) =>
    withGridLimit(gpu, 700, () => ({
      y: embedding(enc, enc.constant(ids), weight, { start: 0, count: ids.length }),
    })),
  )
  destroyWeight(gpu, weight)
  expect(got.y).toBeClose(embeddingRef(ids, values, 4))
})

test('embedding: refuses a range beyond the ids', async () => {
  const gpu = await testGpu()
  const { weight } = randomTable(gpu, 'f32', 2, 4, [])
  await expect(
    onGpu({}, (enc) => ({
      y: embedding(enc, enc.constant(new Uint32Array(8)), weight, { start: 5, count: 4 }),
    })),
  ).rejects.toThrow('embedding: ids 5 to 9 should lie within the 8 there are')
  destroyWeight(gpu, weight)
})
