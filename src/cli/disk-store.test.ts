import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ByteStore } from '../model/checkpoint/byte-store'
import { openDiskStore } from './disk-store'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-store-'))
})
afterAll(() => rm(root, { recursive: true }))

const bytesOf = async (store: ByteStore, key: string) => {
  const stream = await store.read(key)
  return stream && new Uint8Array(await new Response(stream).arrayBuffer())
}

describe('bytes on disk', () => {
  test('are read back by key, whatever the key and however large', async () => {
    const store = await openDiskStore(join(root, 'deep', 'cache'))
    const key = 'hash|../../tower|{"a":1}'
    expect(await store.read(key)).toBeUndefined()
    const large = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251)
    const writer = await store.write(key, large.length + 3)
    await writer.write(large)
    await writer.write(Uint8Array.of(1, 2, 3))
    // Nothing of them is there before they are whole.
    expect(await store.read(key)).toBeUndefined()
    await writer.close()
    const read = (await bytesOf(store, key))!
    expect(Buffer.compare(read.subarray(0, -3), large)).toBe(0)
    expect(read.subarray(-3)).toEqual(Uint8Array.of(1, 2, 3))
    expect(await bytesOf(await openDiskStore(join(root, 'deep', 'cache')), key)).toHaveLength(200_003)
    expect(await store.read(`${key} `)).toBeUndefined()

    const replaced = await store.write(key, 1)
    await replaced.write(Uint8Array.of(9))
    expect(await bytesOf(store, key)).toHaveLength(200_003)
    await replaced.close()
    expect(await bytesOf(store, key)).toEqual(Uint8Array.of(9))

    await store.remove(key)
    await store.remove(key)
    expect(await store.read(key)).toBeUndefined()
  })

  test('that were given up leave nothing', async () => {
    const folder = join(root, 'aborted')
    const store = await openDiskStore(folder)
    const writer = await store.write('key', 2)
    await writer.write(Uint8Array.of(1))
    await writer.abort()
    expect(await readdir(folder)).toEqual([])
    expect(await store.read('key')).toBeUndefined()
  })

  test('what crashed writers left goes, what is being written stays', async () => {
    const folder = join(root, 'crashed')
    await mkdir(folder)
    const names = ['v1-old.x.part', 'v1-new.x.part', 'other.part', 'v1-whole']
    for (const name of names) await writeFile(join(folder, name), 'x')
    const old = new Date(Date.now() - 2 * 3_600_000)
    for (const name of names.filter((name) => name !== 'v1-new.x.part')) {
      await utimes(join(folder, name), old, old)
    }
    await openDiskStore(folder)
    expect((await readdir(folder)).sort()).toEqual(['other.part', 'v1-new.x.part', 'v1-whole'])
  })

  test('a folder that cannot be made is the caller’s to tell about', async () => {
    await writeFile(join(root, 'file'), '')
    const store = await openDiskStore(join(root, 'file', 'cache'))
    expect(await store.read('key')).toBeUndefined()
    await expect(store.write('key', 1)).rejects.toThrow('ENOTDIR')
  })
})
