import { describe, expect, test, vi } from 'vitest'
import type { DatasetSource } from '../../worker/client'
import type { LoadTarget } from '../state/engine.svelte'
import { sourceOfFiles, type PlacedSource } from './dataset-source'
import type { PlaceHandle } from './handles'
import { datasetBytes, keepable, keepingOf, liesBeside, persistStorage, sharedRunData } from './run-data'

const file = (name: string, size: number) => new File([new Uint8Array(size)], name)
const files: DatasetSource = {
  kind: 'files',
  files: [
    { path: 'a/b.json', file: file('b.json', 30) },
    { path: 'a/c.png', file: file('c.png', 70) },
  ],
}

describe('what is kept of a run', () => {
  test('counts the bytes of every kind of data', () => {
    expect(datasetBytes(files)).toBe(100)
    expect(datasetBytes({ kind: 'zip', file: file('x.zip', 9) })).toBe(9)
    expect(datasetBytes({ kind: 'zip-url', url: 'x.zip', name: 'x' })).toBe(0)
    const image = new Blob(['1234'])
    expect(datasetBytes({ kind: 'pairs', name: 'x', pairs: [{ name: 'a', image, caption: '' }] })).toBe(4)
  })

  test('data up to the limit is kept, larger data is not', () => {
    expect(keepable(files, undefined, 100)).toEqual({ dataset: files })
    expect(keepable(files, undefined, 99)).toEqual({})
  })

  test('the model is kept without its token, and never with picked files', () => {
    const hub = { kind: 'hub', repo: 'a/b', token: 'secret' } as const
    const target: LoadTarget = { label: 'b', source: hub, options: { dtype: 'q8', base: hub } }
    const kept = keepable(files, target)
    expect(kept.target).toEqual({
      label: 'b',
      source: { kind: 'hub', repo: 'a/b' },
      options: { dtype: 'q8', base: { kind: 'hub', repo: 'a/b' } },
    })
    expect(JSON.stringify(kept.target)).not.toContain('secret')
    const picked: LoadTarget = {
      label: 'x',
      source: { kind: 'files', name: 'x', files: [] },
      options: { dtype: 'auto' },
    }
    expect(keepable(files, picked)).toEqual({ dataset: files })
  })

  test('a model beside the page may be loaded without asking, others not', () => {
    const page = 'https://x.example/app/'
    expect(liesBeside({ kind: 'url', baseUrl: 'https://x.example/app/models/a/' }, page)).toBe(true)
    expect(liesBeside({ kind: 'url', baseUrl: 'https://y.example/models/a/' }, page)).toBe(false)
    expect(liesBeside({ kind: 'hub', repo: 'a/b' }, page)).toBe(false)
  })
})

/** A folder that the browser lets be read, or asks about. */
function folder(name: string, contents: Record<string, File>, permission: PermissionState = 'granted') {
  const requestPermission = vi.fn(async () => 'granted' as PermissionState)
  const handle = {
    kind: 'directory',
    name,
    queryPermission: async () => permission,
    requestPermission,
    values: () =>
      Object.entries(contents)
        .map(([name, file]) => ({ kind: 'file', name, getFile: async () => file }))
        .values(),
  }
  return { handle: handle as unknown as PlaceHandle, requestPermission }
}

describe('data of runs between visits', () => {
  function stage() {
    const kept = new Map<string, unknown>()
    const copies: unknown[] = []
    const store = sharedRunData((work) =>
      work({
        get: async (name) => kept.get(name),
        put: async (name, value) => {
          if (typeof value === 'object' && value && 'dataset' in value) copies.push(value.dataset)
          kept.set(name, value)
        },
        delete: async (name) => kept.delete(name),
      }),
    )
    return { store, kept, copies }
  }

  test('is copied once for all runs on it, until the last is deleted', async () => {
    const { store, kept, copies } = stage()
    await store.save('a', { dataset: files })
    await store.save('b', { dataset: { ...files, files: [...files.files] } })
    await store.save('b', { dataset: files })
    expect(copies).toEqual([files])
    expect(await store.load('a')).toEqual({ dataset: files })
    await store.delete('a')
    expect(await store.load('a')).toBeUndefined()
    expect(await store.load('b')).toEqual({ dataset: files })
    await store.delete('b')
    await store.delete('b')
    expect(kept.size).toBe(0)
  })

  test('is told apart by pictures and captions, not by rows alone', async () => {
    const { store, copies } = stage()
    const pairs = (caption: string, image: string): DatasetSource => ({
      kind: 'pairs',
      name: 'x',
      pairs: [{ name: 'a', image: new Blob([image]), caption }],
    })
    const mended: DatasetSource = {
      kind: 'files',
      files: [
        { path: 'a/b.json', file: file('b.json', 30) },
        { path: 'a/c.png', file: file('c.png', 71) },
      ],
    }
    const all = [files, mended, pairs('x', '1'), pairs('x', '2'), pairs('y', '1')]
    for (const [i, dataset] of all.entries()) await store.save(`run ${i}`, { dataset })
    expect(copies).toEqual(all)
    // A run that goes on with other files lets go of those before.
    await store.save('run 0', { dataset: mended })
    expect((await store.load('run 0'))?.dataset).toEqual(mended)
    expect(copies).toHaveLength(5)
  })

  test('costs nothing where it lies on a server, and nothing is kept of what is too large', async () => {
    const { store, kept } = stage()
    const dataset: DatasetSource = { kind: 'zip-url', url: 'x.zip', name: 'x' }
    await store.save('a', { dataset })
    await store.save('b', {})
    expect([...kept.keys()]).toEqual(['a', 'b'])
    expect(await store.load('a')).toEqual({ dataset })
    expect(await store.load('b')).toEqual({})
  })

  test('is read in its folder where that is known, once the visitor allows it', async () => {
    const { store, kept } = stage()
    const { handle, requestPermission } = folder('set', { 'rows.json': file('rows.json', 3) }, 'prompt')
    const source = sourceOfFiles([{ path: 'set/rows.json', file: file('rows.json', 3) }], handle)
    await store.save('a', { dataset: source })
    expect([...kept.values()].some((value) => JSON.stringify(value).includes('"files"'))).toBe(false)
    expect(await store.load('a')).toEqual({})
    expect(requestPermission).not.toHaveBeenCalled()
    const { dataset } = (await store.load('a', true))!
    expect(dataset).toMatchObject({
      kind: 'files',
      files: [{ path: 'set/rows.json' }],
      handle: { name: 'set' },
    })
  })

  test('is told as it is', () => {
    const { handle } = folder('set', {})
    const placed = { ...files, handle } as PlacedSource
    expect(datasetBytes(placed)).toBe(0)
    expect(keepingOf(placed).how).toBe('place')
    expect(keepingOf(files)).toEqual({ how: 'copy', bytes: 100 })
    expect(keepingOf({ kind: 'zip-url', url: 'x.zip', name: 'x' }).how).toBe('address')
    const large = file('large.zip', 1)
    Object.defineProperty(large, 'size', { value: 501e6 })
    expect(keepingOf({ kind: 'zip', file: large })).toEqual({ how: 'not', bytes: 501e6 })
  })
})

test('storage is asked for where it is not promised yet', async () => {
  const persist = vi.fn(async () => true)
  expect(await persistStorage({ persisted: async () => true, persist })).toBe(true)
  expect(persist).not.toHaveBeenCalled()
  expect(await persistStorage({ persisted: async () => false, persist })).toBe(true)
  expect(await persistStorage({})).toBeUndefined()
  expect(
    await persistStorage({ persisted: async () => Promise.reject(new Error()), persist }),
  ).toBeUndefined()
})
