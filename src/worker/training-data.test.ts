import { expect, test } from 'vitest'
import { AbortError } from '../model/errors'
import type { DatasetSource } from './training-api'
import { describeDataset, OpenedData } from './training-data'

const row = (id: string, image: string | undefined) => ({
  id,
  ...(image !== undefined && { image }),
  conversations: [
    { from: 'human', value: image === undefined ? 'Say it.' : '<image>' },
    { from: 'gpt', value: `Of ${id}.` },
  ],
})

const files = (contents: Record<string, string>): DatasetSource => ({
  kind: 'files',
  files: Object.entries(contents).map(([path, text]) => ({ path, file: new File([text], path) })),
})
const source = files({
  'train.json': JSON.stringify([row('one', '1.png'), row('words', undefined), row('gone', '2.png')]),
  'eval.json': '{"accuracy": 0.5}',
  '1.png': 'a picture',
})

test('data is described: what can be used, what is left out and why, and the first rows', async () => {
  const { signal } = new AbortController()
  const dataset = await new OpenedData().open(source, signal)
  const { preview, ...info } = await describeDataset(dataset, signal, () => {})
  expect(info).toMatchObject({ rows: 3, usable: 2, textOnlyRows: 1, heldOutRows: 0, skippedCount: 1 })
  expect(info.skipped).toMatchObject([{ row: 2, id: 'gone', image: '2.png' }])
  expect(info.heldOutProblem).toMatch(/none of its rows can be used; the first: .*conversations/)
  expect(preview.map(({ row, caption }) => [row, caption])).toEqual([
    [0, 'Of one.'],
    [1, 'Of words.'],
  ])
  expect(await preview[0]!.image!.text()).toBe('a picture')
  expect(preview[1]!.image).toBeUndefined()
})

test('the same source is opened once, and another one anew', async () => {
  const { signal } = new AbortController()
  const opened = new OpenedData()
  const dataset = await opened.open(source, signal)
  expect(await opened.open(source, signal)).toBe(dataset)
  expect(await opened.open(files({ 'a.json': JSON.stringify([row('a', undefined)]) }), signal)).not.toBe(
    dataset,
  )
})

test('reading ends when it is cancelled', async () => {
  const { signal } = new AbortController()
  const dataset = await new OpenedData().open(source, signal)
  await expect(describeDataset(dataset, AbortSignal.abort(), () => {})).rejects.toThrow(AbortError)
})
