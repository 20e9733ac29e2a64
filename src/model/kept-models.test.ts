import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { memoryStore } from './checkpoint/testing/memory-store'
import type { KeptFile } from './file-keeper'
import { KeptModels, type KeptModel, type ModelIndex } from './kept-models'

function memoryIndex(): ModelIndex {
  const models = new Map<string, KeptModel>()
  return {
    all: async () => [...models.values()],
    update: async (id, change) => void models.set(id, change(models.get(id))),
    remove: async (id) => void models.delete(id),
  }
}

const bytes = (value: number, length: number) => new Uint8Array(length).fill(value)
const hashOf = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

/** Two models that share a tower; one of them was not downloaded to its end. */
async function stage() {
  const store = memoryStore()
  const models = new KeptModels(store, memoryIndex())
  const put = (path: string, data: Uint8Array): KeptFile => {
    store.kept.set(path, data)
    return { source: 'hub', path, key: path, sizeBytes: data.length, sha256: hashOf(data) }
  }
  const tower = put('tower', bytes(1, 10))
  await models.note({ id: 'a', name: 'A' }, tower)
  await models.note({ id: 'a', name: 'A' }, put('a.safetensors', bytes(2, 20)))
  await models.note({ id: 'b', name: 'B' }, { ...tower, sizeBytes: 4 })
  await models.note({ id: 'b', name: 'B' }, tower)
  await models.note({ id: 'b', name: 'B' }, { source: 'hub', path: 'b', key: 'b', sizeBytes: 50 })
  store.left.set('b', bytes(3, 30))
  return { store, models }
}

const signal = new AbortController().signal

test('models are listed with what is there of them, a shared file with each', async () => {
  const { models } = await stage()
  const listed = await models.list()
  expect(listed.map(({ lastUsed: _, ...model }) => model)).toEqual(
    expect.arrayContaining([
      { id: 'a', name: 'A', storedBytes: 30, totalBytes: 30 },
      { id: 'b', name: 'B', storedBytes: 40, totalBytes: 60 },
    ]),
  )
  expect(listed[0]!.lastUsed).toBeGreaterThanOrEqual(listed[1]!.lastUsed)
  expect(Math.abs(Date.now() - listed[0]!.lastUsed)).toBeLessThan(60_000)
})

test('removing a model leaves what others use', async () => {
  const { store, models } = await stage()
  await models.remove('a')
  expect([...store.kept.keys()]).toEqual(['tower'])
  expect((await models.list()).map(({ id }) => id)).toEqual(['b'])
  await models.remove('b')
  await models.remove('nobody')
  expect([store.kept.size, store.left.size, (await models.list()).length]).toEqual([0, 0, 0])
})

test('verifying finds the damaged file, and removes it alone', async () => {
  const { store, models } = await stage()
  const told: [number, number][] = []
  const onProgress = (done: number, total: number) => told.push([done, total])
  expect(await models.verify('a', { signal, onProgress })).toEqual([])
  expect(told.at(-1)).toEqual([30, 30])
  store.kept.get('a.safetensors')![7]! ^= 1
  expect(await models.verify('a', { signal })).toEqual(['a.safetensors'])
  expect([...store.kept.keys()]).toEqual(['tower'])
  expect((await models.list()).find(({ id }) => id === 'a')).toMatchObject({
    storedBytes: 10,
    totalBytes: 30,
  })
  expect(await models.verify('a', { signal })).toEqual([])
  await expect(models.verify('a', { signal: AbortSignal.abort() })).rejects.toThrow('cancelled')
})
