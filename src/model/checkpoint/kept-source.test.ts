import { afterEach, describe, expect, test } from 'vitest'
import { NetworkError } from '../errors'
import type { ByteStore } from './byte-store'
import { httpSource } from './http-source'
import { hubSource } from './hub-source'
import { keptSource } from './kept-source'
import { streamRange } from './resume'
import type { CheckpointSource } from './source'
import { subfolderSource } from './subfolder-source'
import { chunked, memorySource, type MemorySource } from './testing/memory-source'
import { memoryStore } from './testing/memory-store'

const PATH = 'model.safetensors'
const bytes = Uint8Array.from({ length: 100 }, (_, i) => (i * 37) % 251)
const address = 'https://example.org/model/'

const cut = (controller: ReadableStreamDefaultController<Uint8Array>) =>
  controller.error(new TypeError('terminated'))

/** Bytes at an address, in chunks of 7 bytes. */
const remote = (
  contents = bytes,
  open?: NonNullable<Parameters<typeof memorySource>[1]>['open'],
): MemorySource =>
  Object.assign(memorySource({ [PATH]: contents }, { chunkBytes: [7], ...(open && { open }) }), { address })

const failures: string[] = []
const kept = (source: CheckpointSource, store: ByteStore) =>
  keptSource(source, { store, onTrouble: (reason) => failures.push(reason) })
afterEach(() => void failures.splice(0))

async function read(
  source: CheckpointSource,
  [start, end]: readonly [number, number] = [0, bytes.length],
  signal?: AbortSignal,
): Promise<number[]> {
  const found: number[] = []
  const range = { start, end, sleep: async () => {}, ...(signal && { signal }) }
  for await (const chunk of streamRange(source, PATH, range)) found.push(...chunk)
  return found
}

describe('a range', () => {
  test('read whole is served from the store, and others are not', async () => {
    const store = memoryStore()
    const source = remote()
    const from: boolean[] = []
    const first = keptSource(source, { store, onStream: (isKept) => from.push(isKept) })
    expect(await read(first, [10, 60])).toEqual([...bytes.slice(10, 60)])
    expect(await read(first, [10, 60])).toEqual([...bytes.slice(10, 60)])
    expect(source.requests).toHaveLength(1)
    // From visit to visit too.
    const next = keptSource(source, { store, onStream: (isKept) => from.push(isKept) })
    expect(await read(next, [10, 60])).toEqual([...bytes.slice(10, 60)])
    expect(source.requests).toHaveLength(1)
    expect(await read(next, [10, 59])).toEqual([...bytes.slice(10, 59)])
    expect(await read(next, [11, 60])).toEqual([...bytes.slice(11, 60)])
    expect(source.requests).toHaveLength(3)
    expect(from).toEqual([false, true, true, false, false])
    expect(store.open).toEqual(new Set())
  })

  test('up to the end of the file is the same as one that names it', async () => {
    const source = remote()
    const one = kept(source, memoryStore())
    await new Response(await one.stream(PATH, { start: 40 })).arrayBuffer()
    expect(await read(one, [40, 100])).toEqual([...bytes.slice(40)])
    expect(source.requests).toHaveLength(1)
  })

  test('of a file whose size changed, or at another address, is fetched anew', async () => {
    const store = memoryStore()
    await read(kept(remote(), store))
    const longer = remote(new Uint8Array(120).fill(1))
    expect(await read(kept(longer, store))).toEqual(Array(100).fill(1))
    const elsewhere = Object.assign(remote(new Uint8Array(100).fill(2)), { address: `${address}other/` })
    expect(await read(kept(elsewhere, store))).toEqual(Array(100).fill(2))
    expect(store.kept.size).toBe(3)
  })

  test('of files at hand is never kept', async () => {
    const store = memoryStore()
    const source = memorySource({ [PATH]: bytes })
    for (const requests of [1, 2]) {
      expect(await read(kept(source, store))).toEqual([...bytes])
      expect(source.requests).toHaveLength(requests)
    }
    expect(store.kept.size).toBe(0)
  })

  test('of a file whose size is known asks for no size', async () => {
    const source = remote()
    source.sizeOf = () => Promise.reject(new NetworkError('no sizes'))
    const one = keptSource(source, { store: memoryStore(), sizes: [[PATH, 100]] })
    expect(await one.sizeOf(PATH)).toBe(100)
    expect(await read(one)).toEqual([...bytes])
  })

  test('is read by two at once', async () => {
    const store = memoryStore()
    const source = remote()
    const one = kept(source, store)
    const both = await Promise.all([read(one), read(one)])
    expect(both).toEqual([[...bytes], [...bytes]])
    expect(store.kept.size).toBe(1)
    expect(store.open).toEqual(new Set())
    expect(await read(one)).toEqual([...bytes])
    expect(source.requests).toHaveLength(2)
  })
})

describe('a stream that breaks', () => {
  test('is kept whole where the next one goes on', async () => {
    const store = memoryStore()
    const source = remote(bytes, (bytes, { count }) =>
      count < 3 ? chunked(bytes.subarray(0, 30), [7], cut) : chunked(bytes, [7]),
    )
    const one = kept(source, store)
    expect(await read(one)).toEqual([...bytes])
    expect(source.requests.map(({ start }) => start)).toEqual([0, 30, 60])
    expect(store.kept.size).toBe(1)
    expect(await read(one)).toEqual([...bytes])
    expect(source.requests).toHaveLength(3)
    expect(failures).toEqual([])
  })

  test('for good is forgotten', async () => {
    const store = memoryStore()
    const source = remote(bytes, (bytes, { start }) => chunked(bytes.subarray(0, start ? 0 : 30), [7], cut))
    const one = kept(source, store)
    await expect(read(one)).rejects.toThrow(NetworkError)
    expect(store.open.size).toBe(1)
    await one.settle()
    expect(store.open).toEqual(new Set())
    expect(store.kept.size).toBe(0)
  })

  test('by an abort is forgotten', async () => {
    const store = memoryStore()
    const stop = new AbortController()
    const source = remote(bytes, (bytes) =>
      chunked(bytes.subarray(0, 30), [7], async () => {
        stop.abort()
        await new Promise(() => {})
      }),
    )
    const one = kept(source, store)
    await expect(read(one, [0, 100], stop.signal)).rejects.toThrow('cancelled')
    await one.settle()
    expect(store.open).toEqual(new Set())
    expect(store.kept.size).toBe(0)
  })

  test('after its last byte is kept', async () => {
    const store = memoryStore()
    const source = remote(bytes, (bytes) => chunked(bytes, [7], cut))
    const one = kept(source, store)
    await read(one)
    await one.settle()
    expect([...store.kept.values()]).toEqual([bytes])
  })

  test('in the middle of writing a chunk is forgotten', async () => {
    const inner = memoryStore()
    let release!: () => void
    const held = new Promise<void>((done) => (release = done))
    let begin!: () => void
    const begun = new Promise<void>((done) => (begin = done))
    const store = {
      ...inner,
      write: async (key: string, sizeBytes: number) => {
        const writer = await inner.write(key, sizeBytes)
        return {
          ...writer,
          async write(bytes: Uint8Array) {
            begin()
            await held
            await writer.write(bytes)
          },
        }
      },
    }
    const one = kept(remote(), store)
    const reader = (await one.stream(PATH, { start: 0, end: 100 })).getReader()
    const chunk = reader.read()
    await begun
    await reader.cancel()
    release()
    expect((await chunk).done).toBe(true)
    await expect.poll(() => inner.open.size).toBe(0)
    expect(inner.kept.size).toBe(0)
  })

  test('with more bytes than were asked for is forgotten', async () => {
    const store = memoryStore()
    const one = kept(
      remote(bytes, () => chunked(bytes, [60])),
      store,
    )
    await expect(read(one, [0, 70])).rejects.toThrow('got more')
    await one.settle()
    expect(store.kept.size + store.open.size).toBe(0)
  })
})

describe('a store that fails', () => {
  const fail = () => Promise.reject(new Error('QuotaExceededError'))
  const failsAt = (method: 'write' | 'close' | 'abort'): ByteStore => {
    const inner = memoryStore()
    return {
      ...inner,
      write: async (key, sizeBytes) => ({ ...(await inner.write(key, sizeBytes)), [method]: fail }),
    }
  }

  test.each<[string, ByteStore]>([
    ['to read', memoryStore({ read: fail })],
    ['to begin', memoryStore({ write: fail })],
    ['to write', failsAt('write')],
    ['to commit', failsAt('close')],
  ])('%s leaves the stream as it is, and says so', async (_, store) => {
    const source = remote()
    const one = kept(source, store)
    for (const requests of [1, 2]) {
      expect(await read(one)).toEqual([...bytes])
      expect(source.requests).toHaveLength(requests)
    }
    await one.settle()
    expect(new Set(failures)).toEqual(new Set(['QuotaExceededError']))
  })

  test.each<[string, () => ReadableStream<Uint8Array>]>([
    ['breaks', () => chunked(bytes.subarray(0, 30), [7], cut)],
    ['ends early', () => chunked(bytes.subarray(0, 30), [7])],
  ])('where a kept stream %s, the rest is fetched and it is forgotten', async (_, broken) => {
    const store = memoryStore()
    const source = remote()
    await read(kept(source, store))
    const one = kept(source, { ...store, read: async () => broken() })
    expect(await read(one)).toEqual([...bytes])
    expect(source.requests.map(({ start }) => start)).toEqual([0, 30])
    expect(failures).toHaveLength(1)
    expect(store.kept.size).toBe(0)
  })
})

test('sources on a network have addresses, without tokens; a folder inside has its own', () => {
  const hub = hubSource({ repo: 'owner/name@v1', endpoint: 'https://mirror.example', token: 'hf_secret' })
  expect(hub.address).toBe('https://mirror.example/owner/name/resolve/v1/')
  expect(httpSource('https://example.org/a').address).toBe('https://example.org/a/')
  expect(subfolderSource(hub, 'vit').address).toBe(`${hub.address}vit/`)
  expect(subfolderSource(memorySource({}), 'vit').address).toBeUndefined()
})

describe('a whole file with a hash', () => {
  const sha256 = 'a'.repeat(64)
  const stating = (source: MemorySource, hash = sha256) =>
    Object.assign(source, { sha256Of: async () => hash })
  const breaksAt30 = () =>
    stating(remote(bytes, (bytes, { start }) => chunked(bytes.subarray(0, start ? 0 : 30), [7], cut)))

  test('is gone on with at the next visit, at the byte reached', async () => {
    const store = memoryStore()
    const first = kept(breaksAt30(), store)
    await expect(read(first)).rejects.toThrow(NetworkError)
    await first.settle()
    expect(store.open).toEqual(new Set())
    expect([...store.left.values()]).toEqual([bytes.subarray(0, 30)])

    const again = stating(remote())
    const next = kept(again, store)
    expect(await read(next)).toEqual([...bytes])
    expect(again.requests.map(({ start }) => start)).toEqual([30])
    await next.copies!.judge(PATH, true)
    expect([...store.kept.values()]).toEqual([bytes])
    expect(store.left.size).toBe(0)
    expect(await read(kept(again, store))).toEqual([...bytes])
    expect(again.requests).toHaveLength(1)
  })

  test('is gone on with after an abort, and after a visit that ended before it was judged', async () => {
    const store = memoryStore()
    const stop = new AbortController()
    const stopping = stating(
      remote(bytes, (bytes) =>
        chunked(bytes.subarray(0, 42), [7], async () => {
          stop.abort()
          await new Promise(() => {})
        }),
      ),
    )
    const first = kept(stopping, store)
    await expect(read(first, undefined, stop.signal)).rejects.toThrow('cancelled')
    await first.settle()
    expect([...store.left.values()]).toEqual([bytes.subarray(0, 42)])
    const second = kept(stating(remote()), store)
    expect(await read(second)).toEqual([...bytes])
    await second.settle()
    expect([...store.left.values()]).toEqual([bytes])

    const third = stating(remote())
    const one = kept(third, store)
    expect(await read(one)).toEqual([...bytes])
    expect(third.requests).toEqual([])
    await one.copies!.judge(PATH, true)
    expect([...store.kept.values()]).toEqual([bytes])
  })

  test('is thrown away with what earlier visits left of it when its hash is wrong', async () => {
    const store = memoryStore()
    store.left.set(JSON.stringify([sha256, 0, 100]), new Uint8Array(30))
    const one = kept(stating(remote()), store)
    expect(await read(one)).toEqual([...Array<number>(30).fill(0), ...bytes.slice(30)])
    await one.copies!.judge(PATH, false)
    expect([store.left.size, store.kept.size, store.open.size]).toEqual([0, 0, 0])
  })

  test('is kept once, wherever it comes from, and serves the ranges of others', async () => {
    const store = memoryStore()
    const one = kept(stating(remote()), store)
    await read(one)
    await one.copies!.judge(PATH, true)
    const elsewhere = stating(Object.assign(remote(), { address: 'https://mirror.example/m/' }))
    expect(await read(kept(elsewhere, store), [20, 50])).toEqual([...bytes.slice(20, 50)])
    expect(elsewhere.requests).toEqual([])
  })

  test('is kept where others pass through', async () => {
    const store = memoryStore()
    const found: string[] = []
    const only = (source: CheckpointSource) =>
      keptSource(source, { store, onlyHashed: true, onKeep: ({ key }) => found.push(key) })
    expect(await read(only(remote()))).toEqual([...bytes])
    expect(store.open).toEqual(new Set())
    const hashed = only(stating(remote()))
    await read(hashed)
    await hashed.copies!.judge(PATH, true)
    expect([...store.kept.keys()]).toEqual(found)
  })
})
