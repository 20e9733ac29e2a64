import { describe, expect, test } from 'vitest'
import { areaCells, letterbox, unpaddedGrid } from './letterbox'
import { seenKeys } from './sva.ref'

/** For each row (or column) of the map, whether any query sees all of it; windows that are masked as wholes count. */
function seenBars(width: number, height: number, side: number, reduce: number) {
  const S = side * reduce
  const valid = letterbox(width, height, S)
  const seen = new Set<number>()
  for (let cell = 0; cell < side * side; cell++) {
    for (const key of seenKeys({ k: [], v: [], side: S, valid }, side, cell)) seen.add(key)
  }
  const bits = Array.from({ length: S }, (_, i) =>
    Number(
      seen.has(valid.axis === 'rows' ? i * S : i) &&
        seen.has(valid.axis === 'rows' ? i * S + S - 1 : i + S * (S - 1)),
    ),
  )
  return `${valid.axis} ${bits.join('')}`
}

describe('letterbox', () => {
  // Masks that Cambrian-1's own code made for these pictures.
  test.each([
    [160, 84, 6, 1, 'rows 111111'],
    [160, 84, 6, 4, 'rows 111100111111111111001111'],
    [64, 150, 6, 4, 'columns 111100011111111110001111'],
    [100, 100, 6, 4, 'columns 111111111111111111111111'],
    [150, 80, 6, 2, 'rows 110111111011'],
    [90, 170, 6, 2, 'columns 110111111011'],
    [150, 80, 3, 2, 'rows 011110'],
    [90, 170, 3, 4, 'columns 000111111000'],
  ])('of %i x %i masks a map of %i x %i cells as the original does', (width, height, side, reduce, want) => {
    expect(seenBars(width, height, side, reduce)).toBe(want)
  })

  test.each([
    [160, 84, { top: 1, left: 0, rows: 4, columns: 6 }],
    [64, 150, { top: 0, left: 2, rows: 6, columns: 2 }],
    [100, 100, { top: 0, left: 0, rows: 6, columns: 6 }],
    [150, 80, { top: 1, left: 0, rows: 4, columns: 6 }],
    [90, 170, { top: 0, left: 1, rows: 6, columns: 4 }],
  ])('of %i x %i leaves the cells that the original keeps', (width, height, want) => {
    expect(unpaddedGrid(width, height, 6)).toEqual(want)
  })

  // height * (side / width) is just below the whole number that height * side / width gives.
  test.each([
    [88, 55, 24, 5],
    [132, 55, 36, 11],
    [352, 99, 96, 35],
  ])('multiplies as float64 does in the original for %i x %i on %i', (width, height, side, bar) => {
    expect(letterbox(width, height, side)).toEqual({ axis: 'rows', from: bar, to: side - bar })
  })

  test('keeps the middle of a picture thinner than a cell', () => {
    expect(letterbox(1000, 3, 24)).toEqual({ axis: 'rows', from: 12, to: 12 })
    expect(unpaddedGrid(1000, 3, 24)).toEqual({ top: 11, left: 0, rows: 2, columns: 24 })
    expect(unpaddedGrid(3, 1000, 7)).toEqual({ top: 0, left: 3, rows: 7, columns: 1 })
    expect(unpaddedGrid(1, 1000, 1)).toEqual({ top: 0, left: 0, rows: 1, columns: 1 })
  })

  test('numbers the cells of an area row by row', () => {
    expect([...areaCells({ top: 1, left: 2, rows: 2, columns: 3 }, 6)]).toEqual([8, 9, 10, 14, 15, 16])
  })
})
