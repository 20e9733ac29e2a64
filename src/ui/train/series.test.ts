import { describe, expect, test } from 'vitest'
import {
  align,
  decimate,
  extentOf,
  indicesWithin,
  liesBeyond,
  lowerBound,
  moved,
  smooth,
  zoomed,
} from './series'

describe('smooth', () => {
  test('begins at the first value and follows slowly', () => {
    const [first, second, third] = smooth([4, 2, 2], 0.5)
    expect(first).toBeCloseTo(4)
    // (0.5 * 0.5 * 4 + 0.5 * 2) / 0.75 and (0.5^3 * 4 + 0.5^2 * 2 + 0.5 * 2) / 0.875
    expect(second).toBeCloseTo(8 / 3)
    expect(third).toBeCloseTo(2 / 0.875)
  })

  test('weight 0 leaves values as they are, and a constant stays one', () => {
    expect(smooth([3, 1, 2], 0)).toEqual([3, 1, 2])
    for (const value of smooth(new Array(50).fill(1.7), 0.98)) expect(value).toBeCloseTo(1.7)
  })

  test('gaps stay gaps and do not pull the average', () => {
    const smoothed = smooth([2, null, NaN, 2], 0.9)
    expect(smoothed.slice(1, 3)).toEqual([null, null])
    expect(smoothed[3]).toBeCloseTo(2)
  })
})

describe('decimate', () => {
  test('keeps everything that fits', () => {
    expect(decimate([1, 2, 3], 3)).toEqual([0, 1, 2])
    expect(decimate([], 3)).toEqual([])
  })

  test('keeps spikes, both ends and the order within the limit', () => {
    const values = Array.from({ length: 20_000 }, (_, i) => Math.sin(i / 900))
    values[7777] = 50
    values[12_345] = -50
    const kept = decimate(values, 4000)
    expect(kept.length).toBeLessThanOrEqual(4000)
    expect(kept.length).toBeGreaterThan(1000)
    expect(kept[0]).toBe(0)
    expect(kept.at(-1)).toBe(19_999)
    expect(kept).toContain(7777)
    expect(kept).toContain(12_345)
    expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b))
  })

  test('stays within the range asked for, and bears values that are missing', () => {
    const values = new Array<number | null>(100).fill(null)
    const kept = decimate(values, 8, 20, 80)
    expect(kept.every((i) => i >= 20 && i < 80)).toBe(true)
    expect([kept[0], kept.at(-1)]).toEqual([20, 79])
  })
})

test('indicesWithin takes a neighbour on each side', () => {
  const steps = [1, 2, 4, 8, 16]
  expect(lowerBound(steps, 4)).toBe(2)
  expect(lowerBound(steps, 5)).toBe(3)
  expect(lowerBound(steps, 99)).toBe(5)
  expect(indicesWithin(steps, 3, 5)).toEqual([1, 5])
  expect(indicesWithin(steps, -Infinity, Infinity)).toEqual([0, 5])
})

describe('align', () => {
  test('puts curves on common steps: undefined where one has no point, null where it breaks', () => {
    const { steps, values } = align(
      [
        { label: 'loss', steps: [1, 2, 3, 4], values: [4, null, 2, 1] },
        { label: 'validation', steps: [2, 4], values: [3, 1.5] },
      ],
      100,
    )
    expect(steps).toEqual([1, 2, 3, 4])
    expect(values).toEqual([
      [4, null, 2, 1],
      [undefined, 3, undefined, 1.5],
    ])
  })

  test('draws no more than the limit of a curve, and everything of a small range', () => {
    const long = Array.from({ length: 30_000 }, (_, i) => i + 1)
    const curves = [{ label: 'loss', steps: long, values: long.map((step) => 1 / step) }]
    expect(align(curves, 4000).steps.length).toBeLessThanOrEqual(4000)
    expect(align(curves, 4000, 1000, 1100).steps).toEqual(long.slice(998, 1101))
  })
})

describe('the steps that are shown', () => {
  const all = [1, 101] as const

  test('are at first those of every curve', () => {
    const curve = (...steps: number[]) => ({ label: '', steps, values: steps })
    expect(extentOf([curve(1, 2, 30), curve(0, 25), curve()])).toEqual([0, 30])
    expect(extentOf([])).toEqual([0, 1])
    expect(extentOf([curve(4)])).toEqual([4, 5])
  })

  test('are fewer and more around the same middle, and all at last', () => {
    expect(zoomed(undefined, all, 0.5)).toEqual([26, 76])
    expect(zoomed([26, 76], all, 2)).toBeUndefined()
    expect(zoomed([90, 101], all, 2)).toEqual([79, 101])
    expect(zoomed([1, 11], all, 2)).toEqual([1, 21])
    expect(zoomed(undefined, all, 2)).toBeUndefined()
  })

  test('are never fewer than two, and those of a short run are all', () => {
    expect(zoomed([50, 53], all, 0.5)).toEqual([50.5, 52.5])
    expect(zoomed([50.5, 52.5], all, 0.5)).toEqual([50.5, 52.5])
    expect(zoomed(undefined, [1, 3], 0.5)).toBeUndefined()
    expect(zoomed(undefined, [1, 8], 0.5)).toEqual([2.75, 6.25])
  })

  test('move as far as there are any', () => {
    expect(moved([20, 40], all, 0.5)).toEqual([30, 50])
    expect(moved([20, 40], all, -2)).toEqual([1, 21])
    expect(moved([90, 100], all, 0.5)).toEqual([91, 101])
    expect(moved(undefined, all, 0.5)).toBeUndefined()
  })

  test('lie beyond a curve that became shorter', () => {
    expect(liesBeyond([20, 40], [1, 15])).toBe(true)
    expect(liesBeyond([0, 10], [25, 100])).toBe(true)
    expect(liesBeyond([10, 40], [1, 15])).toBe(false)
  })
})
