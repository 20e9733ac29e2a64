import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { concatColumns, sliceColumns } from './concat'
import { concatCases } from './concat.cases'
import { concatColumnsRef, sliceColumnsRef } from './concat.ref'

describe('concat', () => {
  test.each(concatCases)('matches the oracle for $parts, whole and sliced again', async ({ parts }) => {
    const data = seeded(Object.fromEntries(parts.map((shape, i) => [`part${i}`, shape])))
    const want = concatColumnsRef(parts.map(([, C], i) => ({ data: data[`part${i}`]!, C })))
    const W = parts.reduce((sum, [, C]) => sum + C, 0)
    const starts = parts.map((_, i) => parts.slice(0, i).reduce((sum, [, C]) => sum + C, 0))
    const got = await onGpu(data, (enc, t) => {
      const y = concatColumns(
        enc,
        parts.map((_, i) => t[`part${i}`]!),
      )
      const slices = parts.map(([, count], i) => [
        `slice${i}`,
        sliceColumns(enc, y, { start: starts[i]!, count }),
      ])
      return { y, ...Object.fromEntries(slices) }
    })
    expect(got.y).toBeClose(want)
    for (const [i, [, count]] of parts.entries()) {
      const slice = (got as Record<string, Float32Array>)[`slice${i}`]!
      expect(slice).toBeClose(sliceColumnsRef(want, W, { start: starts[i]!, count }))
    }
  })

  test('a folded grid reaches every element once', async () => {
    const { a, b } = seeded({ a: [9, 512], b: [1, 512] })
    const got = await onGpu({ a, b }, (enc, t) =>
      withGridLimit(enc.gpu, 2, () => ({
        y: concatColumns(enc, [t.a, t.b]),
        slice: sliceColumns(enc, t.a, { start: 4, count: 500 }),
      })),
    )
    expect(got.y).toBeClose(
      concatColumnsRef([
        { data: a, C: 512 },
        { data: b, C: 512 },
      ]),
    )
    expect(got.slice).toBeClose(sliceColumnsRef(a, 512, { start: 4, count: 500 }))
  })

  test('refuses parts of different heights and columns that do not exist', async () => {
    const { a, b } = seeded({ a: [4, 4], b: [3, 4] })
    await expect(onGpu({ a, b }, (enc, t) => ({ y: concatColumns(enc, [t.a, t.b]) }))).rejects.toThrow(
      'concat-columns: parts should have equally many rows, or one, but are [4, 4], [3, 4]',
    )
    await expect(onGpu({}, (enc) => ({ y: concatColumns(enc, []) }))).rejects.toThrow('but are none')
    await expect(
      onGpu({ a }, (enc, t) => ({ y: sliceColumns(enc, t.a, { start: 2, count: 3 }) })),
    ).rejects.toThrow('slice-columns: columns 2 to 5 should lie within the 4 of x')
  })
})
