import { describe, expect, test } from 'vitest'
import {
  heatColour,
  heatPixels,
  rangeOf,
  rgbToOklab,
  sharesPixels,
  TOWER_COLOURS,
  towerColour,
  towerPixels,
  valueAt,
} from './heat'

describe('the ramp', () => {
  test('rises evenly in lightness, so that order needs no colour', () => {
    const lightness = Array.from({ length: 33 }, (_, i) => rgbToOklab(heatColour(i / 32))[0])
    const steps = lightness.slice(1).map((value, i) => value - lightness[i]!)
    expect(Math.min(...steps)).toBeGreaterThan(0.01)
    expect(Math.max(...steps)).toBeLessThan(0.035)
  })

  test('ends where values do', () => {
    expect(heatColour(-1)).toEqual(heatColour(0))
    expect(heatColour(2)).toEqual(heatColour(1))
  })
})

describe('between cells', () => {
  const grid = { rows: 2, columns: 3, values: [0, 1, 2, 4, 5, 6] }

  test('values are linear, and flat past the outermost centres', () => {
    expect(valueAt(grid, 0.5, 0.5)).toBe(0)
    expect(valueAt(grid, 1, 0.5)).toBe(0.5)
    expect(valueAt(grid, 2.5, 1)).toBe(4)
    expect(valueAt(grid, 0, 0)).toBe(0)
    expect(valueAt(grid, 3, 2)).toBe(6)
  })

  test('a single cell is one value', () => {
    expect(valueAt({ rows: 1, columns: 1, values: [7] }, 0.2, 0.9)).toBe(7)
  })
})

test('the range is that of all grids, or of one tower', () => {
  expect(rangeOf([{ values: [2, 5] }, { values: [3, 1] }])).toEqual({ least: 1, most: 5 })
  expect(rangeOf([{ values: [0.9, 0.1, 0.6, 0.4] }], 1, 2)).toEqual({ least: 0.1, most: 0.4 })
  expect(rangeOf([])).toEqual({ least: 0, most: 0 })
})

describe('pixels', () => {
  test('of heat go from the ramp’s start to its end', () => {
    const { data, width, height } = heatPixels({ rows: 1, columns: 2, values: [1, 3] }, { least: 1, most: 3 })
    expect([width, height]).toEqual([192, 96])
    expect([...data.slice(0, 3)]).toEqual([...heatColour(0)])
    expect([...data.slice(-4, -1)]).toEqual([...heatColour(1)])
    // The picture shows through, less so where there is much.
    expect(data[3]).toBeLessThan(data.at(-1)!)
    expect(data.at(-1)).toBeLessThan(255)
  })

  test('of nothing at all are the ramp’s start', () => {
    const { data } = heatPixels({ rows: 1, columns: 1, values: [0] }, { least: 0, most: 0 })
    expect([...data.slice(0, 3)]).toEqual([...heatColour(0)])
  })

  test('of one tower’s share take that tower’s values', () => {
    const { data } = towerPixels({ rows: 1, columns: 2, values: [1, 0, 0.25, 0.75] }, 2, 1, {
      least: 0,
      most: 0.75,
    })
    expect([...data.slice(0, 3)]).toEqual([...heatColour(0)])
    expect([...data.slice(4, 7)]).toEqual([...heatColour(1)])
  })

  test('of all shares are a tower’s own colour where it has all, and between them elsewhere', () => {
    const { data } = sharesPixels({ rows: 1, columns: 3, values: [1, 0, 0, 1, 0.5, 0.5] }, 2)
    const pixel = (x: number) => [...data.slice(x * 4, x * 4 + 3)]
    for (const tower of [0, 1]) {
      pixel(tower).forEach((value, i) => expect(Math.abs(value - towerColour(tower)[i]!)).toBeLessThan(2))
    }
    const lightness = (x: number) => rgbToOklab(pixel(x) as [number, number, number])[0]
    expect(lightness(2)).toBeCloseTo((lightness(0) + lightness(1)) / 2, 1)
  })

  test('of towers are colours that differ', () => {
    for (const [i, one] of TOWER_COLOURS.entries()) {
      for (const other of TOWER_COLOURS.slice(0, i)) {
        const [a, b] = [rgbToOklab(one), rgbToOklab(other)]
        expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(0.1)
      }
    }
  })
})
