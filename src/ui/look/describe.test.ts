import { expect, test } from 'vitest'
import type { LookImage } from '../../worker/api'
import { messagesOf } from '../text/messages'
import { brightest, cellInWords, isCut, meanShares, percent, placeOf } from './describe'

const whole = { left: 0, top: 0, right: 1, bottom: 1 }
const shares: LookImage = {
  image: 0,
  rows: 1,
  columns: 2,
  region: whole,
  values: Float32Array.of(0.75, 0.25, 0.5, 0.5),
  towers: ['clip', 'dinov2'],
}

test('the brightest cell', () => {
  expect(brightest({ rows: 2, columns: 2, values: [0, 1, 3, 2] })).toEqual({ row: 1, column: 0, value: 3 })
})

test('places are those on the picture, not on the grid', () => {
  const grid = { rows: 3, columns: 3, region: whole }
  expect(placeOf(grid, 0, 0)).toBe('at the top left')
  expect(placeOf(grid, 1, 1)).toBe('in the centre')
  expect(placeOf(grid, 1, 2)).toBe('at the middle right')
  // Of a wide picture only the middle third was seen.
  expect(placeOf({ ...grid, region: { ...whole, left: 1 / 3, right: 2 / 3 } }, 2, 0)).toBe(
    'at the bottom centre',
  )
  // Of a padded one the first row lies above it.
  expect(placeOf({ ...grid, region: { ...whole, top: -1, bottom: 2 } }, 0, 2)).toBe('at the top right')
})

test.each([
  [0, '0%'],
  [0.00001, '0%'],
  [0.0004, '0.04%'],
  [0.004, '0.4%'],
  [0.023, '2.3%'],
  [0.0996, '10%'],
  [0.42, '42%'],
])('%s is %s', (share, text) => expect(percent(share)).toBe(text))

test('a picture is cut where the grid ends inside it, not where it reaches past it', () => {
  expect(isCut({ region: whole })).toBe(false)
  expect(isCut({ region: { ...whole, left: 0.125, right: 0.875 } })).toBe(true)
  expect(isCut({ region: { ...whole, top: -0.5, bottom: 1.5 } })).toBe(false)
})

test('places and shares in another language', () => {
  const de = messagesOf('de')
  expect(placeOf({ rows: 3, columns: 3, region: whole }, 0, 0, de)).toBe('oben links')
  expect(cellInWords(shares, ['clip', 'dinov2'], 1, de).replace(/\s/g, ' ')).toBe(
    'Zeile 1, Spalte 2: clip 50 %, dinov2 50 %',
  )
})

test('shares in words, and of the whole picture', () => {
  expect(cellInWords(shares, ['clip', 'dinov2'], 0)).toBe('Row 1, column 1: clip 75%, dinov2 25%')
  expect(meanShares(shares)).toEqual([0.625, 0.375])
})
