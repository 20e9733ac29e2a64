import { beforeEach, expect, test } from 'vitest'
import { openOpfsStore } from './opfs-store'
import { FakeFolder } from './testing/opfs'

// On files in memory. The browser's own are tried in e2e/kept-towers.spec.ts.

let folder: FakeFolder
let estimate: StorageEstimate
const open = () =>
  openOpfsStore({
    getDirectory: async () => ({ getDirectoryHandle: async () => folder }),
    estimate: async () => estimate,
  } as unknown as StorageManager)
beforeEach(() => {
  folder = new FakeFolder()
  estimate = {}
})

const read = async (store: Awaited<ReturnType<typeof open>>, key: string) => {
  const stream = await store.read(key)
  return stream && [...new Uint8Array(await new Response(stream).arrayBuffer())]
}

test('bytes can be read once they are whole, by any key, until they are removed', async () => {
  const store = await open()
  const key = '["https://example.org/ä/../x",0,4]'
  const writer = await store.write(key, 4)
  await writer.write(Uint8Array.of(1, 2))
  expect(await read(store, key)).toBeUndefined()
  await writer.write(Uint8Array.of(3, 4))
  await writer.close()
  expect(await read(store, key)).toEqual([1, 2, 3, 4])
  expect(await read(store, `${key} `)).toBeUndefined()
  expect([...folder.files.keys()]).toEqual([expect.stringMatching(/^v1-[0-9a-f]{64}$/)])
  expect(await read(await open(), key)).toEqual([1, 2, 3, 4])
  await store.remove(key)
  await store.remove(key)
  expect(await read(store, key)).toBeUndefined()
})

test('nothing stays of what is aborted or does not fit on the disk', async () => {
  const store = await open()
  const aborted = await store.write('a', 4)
  await aborted.write(Uint8Array.of(1, 2))
  await aborted.abort()
  expect(folder.files.size).toBe(0)

  folder.disk.mostBytes = 3
  const full = await store.write('a', 4)
  await expect(full.write(Uint8Array.of(1, 2, 3, 4))).rejects.toThrow('the disk is full')
  await full.abort()
  expect(folder.files.size).toBe(0)
})

test('what other versions and crashed writers left is removed, and what another tab writes is not', async () => {
  const other = await open()
  await (await other.write('whole', 0)).close()
  const writing = await other.write('begun', 1)
  const [whole, begun] = [...folder.files.keys()]
  for (const name of ['v0-abc', 'v1-abc.1234.part', 'else']) {
    folder.files.set(name, { bytes: new Uint8Array(), isLocked: false })
  }
  await open()
  expect([...folder.files.keys()]).toEqual([whole, begun])
  await writing.write(Uint8Array.of(7))
  await writing.close()
  expect(await read(other, 'begun')).toEqual([7])
})

test('a file that cannot take its name is an error, unless another writer was quicker', async () => {
  const store = await open()
  const writers = [await store.write('a', 1), await store.write('a', 1)]
  for (const writer of writers) await writer.write(Uint8Array.of(7))
  await writers[0]!.close()
  folder.disk.movesFail = true
  await writers[1]!.close()
  expect(await read(store, 'a')).toEqual([7])
  await expect((await store.write('b', 0)).close()).rejects.toThrow('in use')
  expect(folder.files.size).toBe(1)
})

test('four fifths of what the browser grants are filled, not more', async () => {
  const store = await open()
  estimate = { usage: 700e6, quota: 1000e6 }
  await (await store.write('fits', 100e6)).abort()
  await expect(store.write('too much', 101e6)).rejects.toThrow(
    '101 MB are needed beside 700 MB in use, of 800 MB that this site may fill',
  )
  expect(folder.files.size).toBe(0)
})

test('what a writer left is gone on with, from visit to visit, until it is removed or forgotten', async () => {
  const store = await open()
  const first = await store.resume!('a', 6)
  expect(first.doneBytes).toBe(0)
  await first.write(Uint8Array.of(1, 2))
  await first.write(Uint8Array.of(3))
  await expect(store.resume!('a', 6)).rejects.toThrow('another tab is writing it')
  await first.leave()
  expect(await read(store, 'a')).toBeUndefined()

  const next = await (await open()).resume!('a', 6)
  expect(next.doneBytes).toBe(3)
  expect([...new Uint8Array(await new Response(next.readDone()).arrayBuffer())]).toEqual([1, 2, 3])
  await next.write(Uint8Array.of(4, 5, 6))
  await next.close()
  expect(await read(store, 'a')).toEqual([1, 2, 3, 4, 5, 6])
  expect(await new Response(await store.read('a', { start: 1, end: 3 })).bytes()).toEqual(Uint8Array.of(2, 3))

  for (const key of ['b', 'c']) {
    const writer = await store.resume!(key, 2)
    await writer.write(Uint8Array.of(1))
    await writer.leave()
  }
  await store.remove('b')
  expect((await store.resume!('b', 2)).doneBytes).toBe(0)
  const [left] = [...folder.files.entries()].filter(
    ([name, { isLocked }]) => name.endsWith('.left') && !isLocked,
  )
  left![1].lastModified = Date.now() - 31 * 24 * 3_600_000
  await open()
  expect(folder.files.has(left![0])).toBe(false)
})
