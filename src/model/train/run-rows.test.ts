import { expect, test } from 'vitest'
import { DatasetError } from '../errors'
import type { Dataset, Scan } from './definition'
import { recipes } from './recipes'
import { chooseRows } from './run-rows'

const recipe = { ...recipes['llava-1.5'].recipe, batchSize: 1, accumulate: 1 }
const { signal } = new AbortController()

/** Rows of which the first so many can be used, and those named are text alone. */
function dataOf(
  usable: number,
  { textOnly = [] as number[], heldOut = undefined as Dataset | undefined } = {},
) {
  const scan: Scan = {
    usable: Uint32Array.from({ length: usable }, (_, row) => row),
    textOnly: textOnly.map((row) => ({ row, id: `${row}` })),
    skipped: [{ row: usable, id: 'x', image: 'x.png', reason: 'its picture x.png is not there' }],
  }
  const data = { name: 'pairs', length: usable + 1, fingerprint: 'f', heldOut, scan: async () => scan }
  return data as unknown as Dataset
}

const choose = (dataset: Dataset, heldOut = 0, template = 'plain') =>
  chooseRows(dataset, { recipe: { ...recipe, template }, heldOut }, signal)

test('rows of text alone train under a chat template, and neither train nor validate under the plain one', async () => {
  const data = dataOf(6, { textOnly: [1, 4], heldOut: dataOf(3, { textOnly: [0] }) })
  const chat = await choose(data, 0, 'model')
  expect([chat.trained, chat.skipped.length, chat.heldOut.rows]).toEqual([6, 1, [0, 1, 2]])
  const plain = await choose(data)
  expect([plain.trained, plain.skipped.length, plain.heldOut.rows]).toEqual([4, 3, [1, 2]])
  expect(plain.order.stepsPerEpoch).toBe(4)
})

test('a held-out file that has no row to validate on is let be', async () => {
  const heldOut = dataOf(0)
  const data = dataOf(6, { heldOut })
  const rows = await choose(data, 2)
  expect(rows.heldOut.dataset).toBe(data)
  expect(rows.heldOut.rows).toHaveLength(2)
  expect(rows.trained).toBe(4)
  const own = dataOf(3)
  expect((await choose(dataOf(6, { heldOut: own }), 2)).heldOut).toEqual({ dataset: own, rows: [0, 1] })
})

test('data of which nothing can be used is told with the reason', async () => {
  await expect(choose(dataOf(0))).rejects.toThrow(DatasetError)
  await expect(choose(dataOf(0), 5)).rejects.toThrow(
    'none of the 1 rows of pairs can be used; the first, row 0: its picture x.png is not there',
  )
  await expect(choose(dataOf(2, { textOnly: [0, 1] }))).rejects.toThrow(
    'row 0: has no picture, and the plain',
  )
})
