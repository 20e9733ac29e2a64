import { expect, test } from 'vitest'
import { DatasetError } from '../errors'
import type { Scan } from './definition'
import { expectUsable, usableFor } from './usable-rows'

const missing = { row: 1, id: 'b', image: 'b.png', reason: 'its picture b.png is not there' }
const scan: Scan = {
  usable: Uint32Array.of(0, 2, 3),
  textOnly: [
    { row: 0, id: 'a' },
    { row: 3, id: 'd' },
  ],
  skipped: [missing],
}

test('rows of text alone take part but in the plain template', () => {
  for (const template of ['model', 'vicuna_v1']) {
    expect(usableFor(scan, { template })).toEqual({ usable: scan.usable, skipped: [missing] })
  }
  const { usable, skipped } = usableFor(scan, { template: 'plain' })
  expect([...usable]).toEqual([2])
  expect(skipped.map(({ row, id }) => [row, id])).toEqual([
    [0, 'a'],
    [1, 'b'],
    [3, 'd'],
  ])
  expect(skipped[2]).toEqual({
    row: 3,
    id: 'd',
    image: undefined,
    reason: 'has no picture, and the plain template is nothing but a picture and its caption',
  })
  const plain = { usable: scan.usable, skipped: [missing] }
  expect(usableFor(plain, { template: 'plain' })).toEqual(plain)
})

test('data of which nothing can be used says why, and what to look at', () => {
  const data = { name: 'pairs', length: 3 }
  expectUsable(data, scan)
  const none = { usable: new Uint32Array(), skipped: [missing] }
  expect(() => expectUsable(data, none)).toThrow(DatasetError)
  expect(() => expectUsable(data, none)).toThrow(
    'dataset: none of the 3 rows of pairs can be used; the first, row 1: its picture b.png is not there. ' +
      'Check the rows, and the folder in which their pictures are looked for (on the command line: --images)',
  )
})
