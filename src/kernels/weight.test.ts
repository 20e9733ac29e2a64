import { describe, expect, test } from 'vitest'
import { ShapeError } from './errors'
import { ELEMENTS_PER_WORD, isQuantised, weightRows, type Weight, type WeightDtype } from './weight'

/** A weight of 300 rows of 33 columns in parts of 128, 128 and 44 rows, as a small binding limit would make it. */
function threeParts(dtype: WeightDtype): Weight {
  const words = 64 / ELEMENTS_PER_WORD[dtype]
  const parts = [0, 128, 256].map((rowStart) => {
    const rows = Math.min(128, 300 - rowStart)
    const buffer = { label: `rows ${rowStart}` } as GPUBuffer
    const data = { shape: [rows, words], dtype: 'u32', buffer, offset: 0 } as const
    const scales = isQuantised(dtype) ? { ...data, shape: [rows, 2] } : undefined
    return { rowStart, rows, data, scales }
  })
  return { name: 'w', rows: 300, cols: 33, stride: 64, dtype, parts }
}

describe('weightRows', () => {
  test.each(['f32', 'f16', 'bf16', 'q8', 'q4'] as const)('gives %s rows where they lie', (dtype) => {
    const w = threeParts(dtype)
    const rowBytes = (64 / ELEMENTS_PER_WORD[dtype]) * 4
    const view = weightRows(w, 64, 236)
    expect(view).toMatchObject({ name: 'w', rows: 236, cols: 33, stride: 64, dtype })
    expect(view.parts.map((part) => [part.rowStart, part.rows])).toEqual([
      [0, 64],
      [64, 128],
      [192, 44],
    ])
    expect(view.parts.map(({ data }) => [data.buffer.label, data.offset, data.shape])).toEqual([
      ['rows 0', 64 * rowBytes, [64, rowBytes / 4]],
      ['rows 128', 0, [128, rowBytes / 4]],
      ['rows 256', 0, [44, rowBytes / 4]],
    ])
    for (const { data, scales, rows } of view.parts) {
      expect(data.offset % 256).toBe(0)
      expect(scales?.shape).toEqual(isQuantised(dtype) ? [rows, 2] : undefined)
    }
    expect(view.parts[0]!.scales?.offset).toBe(isQuantised(dtype) ? 64 * 8 : undefined)
  })

  test('a view of a view counts from the view', () => {
    const inner = weightRows(weightRows(threeParts('q8'), 64, 236), 128, 108)
    expect(inner.parts.map(({ rowStart, rows, data }) => [rowStart, rows, data.offset])).toEqual([
      [0, 64, 64 * 64],
      [64, 44, 0],
    ])
  })

  test('all rows are the weight itself', () => {
    const w = threeParts('q4')
    expect(weightRows(w, 0, 300)).toEqual(w)
  })

  test.each([
    [1, 63],
    [0, 63],
    [64, 0],
    [-64, 128],
    [0.5, 64],
    [256, 64],
    [320, 64],
  ])('refuses %d and %d rows from there', (start, count) => {
    const view = () => weightRows(threeParts('f32'), start, count)
    expect(view).toThrow(ShapeError)
    expect(view).toThrow(
      `weight-rows: a view of w should start on a multiple of 64 and end on one or on row 300, but ${start} to ${start + count}`,
    )
  })
})
