import { expect, test } from 'vitest'
import type { ByteStore } from '../checkpoint/byte-store'
import { MemoryStore } from '../testing/memory-store'
import { FeatureStore, type TowerMaps } from './feature-store'

const seen = (value: number): TowerMaps => ({
  size: { width: 7, height: 5 },
  maps: [
    { shape: [2, 2], data: Float32Array.of(value, 1, 2, 3) },
    { shape: [1], data: Float32Array.of(-value) },
  ],
})

test('what is saved is found again as it was', async () => {
  const store = new FeatureStore(new MemoryStore())
  expect(await store.has('a')).toBe(false)
  await store.save('a', seen(4))
  expect(await store.has('a')).toBe(true)
  expect(await store.load('a')).toEqual(seen(4))
  expect(await store.load('b')).toBeUndefined()
})

test('damaged features count as none and are forgotten', async () => {
  const inner = new MemoryStore()
  const writer = await inner.write('a')
  await writer.write(Uint8Array.of(1, 2, 3))
  await writer.close()
  const store = new FeatureStore(inner)
  expect(await store.load('a')).toBeUndefined()
  expect(await store.has('a')).toBe(false)
})

test('where there is no more room it says so once, leaves nothing half written, and still reads', async () => {
  const inner = new MemoryStore()
  const aborted: string[] = []
  let isFull = false
  const full: ByteStore = {
    read: (key) => inner.read(key),
    sizeOf: (key) => inner.sizeOf(key),
    remove: (key) => inner.remove(key),
    async write(key) {
      const writer = await inner.write(key)
      return {
        write: (bytes) => (isFull ? Promise.reject(new Error('the disk is full')) : writer.write(bytes)),
        close: () => writer.close(),
        abort: async () => void aborted.push(key),
      }
    },
  }
  const notes: string[] = []
  const store = new FeatureStore(full, (note) => notes.push(note))
  await store.save('a', seen(1))
  isFull = true
  await store.save('b', seen(2))
  await store.save('c', seen(3))
  expect(aborted).toEqual(['b'])
  expect(notes).toEqual([expect.stringContaining('the disk is full')])
  expect(store.keeps).toBe(false)
  expect(await store.load('a')).toEqual(seen(1))
  expect(await store.load('b')).toBeUndefined()
})
