import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { writeSafetensors } from '../model/checkpoint/safetensors-writer'
import type { Engine } from '../worker/engine'
import { useConnector } from './connector'

vi.mock('../model/train/trained-connector', () => ({
  connectorSpecs: () => ({ 'linear_1.weight': { shape: [1, 2] }, 'linear_1.bias': { shape: [1] } }),
}))

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-connector-'))
  const tensor = (name: string, ...values: number[]) => ({
    name: `model.mm_projector.${name}`,
    dtype: 'F32' as const,
    shape: name === 'weight' ? [1, values.length] : [values.length],
    data: new Uint8Array(Float32Array.from(values).buffer),
  })
  for (const [name, at] of [
    ['mm_projector.safetensors', 1],
    ['renamed.safetensors', 5],
  ] as const) {
    const pieces = writeSafetensors([tensor('weight', at, 2), tensor('bias', 3)])
    await writeFile(join(root, name), Buffer.concat(pieces))
  }
})
afterAll(() => rm(root, { recursive: true }))

const put = vi.fn(async (values: ReadonlyMap<string, Float32Array>, info: object) => ({ values, ...info }))
const engine = { loaded: { opened: {} }, training: { put } } as unknown as Engine

test.each([
  ['a folder', '', 1],
  ['a file of any name', 'renamed.safetensors', 5],
])('a connector is %s', async (_, path, first) => {
  await useConnector(engine, join(root, path))
  const [values, info] = put.mock.lastCall!
  expect([...values.get('linear_1.weight')!]).toEqual([first, 2])
  expect(JSON.stringify(info)).toContain(path || 'mm_projector.safetensors')
})

test('one that is missing is named', async () => {
  await expect(useConnector(engine, join(root, 'none'))).rejects.toThrow(
    /^connector: there is no .*none; give a folder/,
  )
})
