import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isSkippedFile, SkippedList } from './skipped-list'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trilobite-skipped-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const row = (at: number, more: object = {}) => ({
  row: at,
  id: `i${at}`,
  image: 'a.png',
  reason: 'why "so"',
  ...more,
})
const lines = () => readFileSync(join(folder, 'skipped.jsonl'), 'utf8').split('\n').slice(0, -1)

test('every row is written down once, as it is found', () => {
  const list = new SkippedList(folder, false)
  expect(existsSync(list.path)).toBe(false)
  const many = Array.from({ length: 25_000 }, (_, i) => row(i))
  expect(list.add(many)).toHaveLength(25_000)
  expect(lines()).toHaveLength(25_000)
  expect(JSON.parse(lines()[24_999]!)).toEqual(row(24_999))
  const heldOut = row(3, { heldOut: true, image: undefined })
  expect(list.add([row(3), heldOut])).toEqual([heldOut])
  expect(list.add([heldOut])).toEqual([])
  expect(lines().at(-1)).toBe('{"row":3,"id":"i3","reason":"why \\"so\\"","heldOut":true}')
  expect(list.count).toBe(25_001)
  expect(isSkippedFile(list.path)).toBe(true)
})

test('a run that goes on keeps what it has, and a new one begins anew', () => {
  new SkippedList(folder, false).add([row(0), row(1)])
  writeFileSync(join(folder, 'skipped.jsonl'), `${lines().join('\n')}\n{"row":2,"id":"to`)
  const list = new SkippedList(folder, true)
  expect(list.count).toBe(2)
  expect(list.add([row(1), row(2)])).toEqual([row(2)])
  expect(lines().map((line) => (JSON.parse(line) as { row: number }).row)).toEqual([0, 1, 2])
  expect(new SkippedList(folder, false).count).toBe(0)
  expect(existsSync(list.path)).toBe(false)
})

test('without room nothing but the file suffers', () => {
  mkdirSync(join(folder, 'skipped.jsonl'))
  writeFileSync(join(folder, 'skipped.jsonl', 'x'), '')
  const list = new SkippedList(folder, false)
  expect(list.add([row(0)])).toEqual([row(0)])
  expect(list.problem).toMatch(/skipped\.jsonl cannot be written/)
})
