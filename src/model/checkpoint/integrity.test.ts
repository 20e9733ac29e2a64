import { createHash } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { CheckpointError } from '../errors'
import { readEncoder } from '../onnx/read-encoder'
import { openCheckpoint } from './checkpoint'
import type { StartHash } from './hasher'
import { httpSource } from './http-source'
import { hubSource } from './hub-source'
import { keptSource } from './kept-source'
import { writeSafetensors } from './safetensors-writer'
import type { CheckpointSource } from './source'
import { streamTensors, type StreamOptions } from './stream-tensors'
import { subfolderSource } from './subfolder-source'
import { chunked, memorySource } from './testing/memory-source'
import { memoryStore } from './testing/memory-store'
import { sendFile, serve, type TestServer } from './testing/server'

const servers: TestServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const sleep = async () => undefined
const SIZE = 300_000
const values = (factor: number) => Uint8Array.from({ length: SIZE }, (_, i) => (i * factor) % 251)
const shard = (name: string, factor: number) =>
  new Uint8Array(
    Buffer.concat(writeSafetensors([{ name, dtype: 'U8', shape: [SIZE], data: values(factor) }])),
  )
const shards = { '1.safetensors': shard('a', 3), '2.safetensors': shard('b', 7) }
const index = JSON.stringify({ weight_map: { a: '1.safetensors', b: '2.safetensors' } })

function flipped(bytes: Uint8Array, at = bytes.length - 1): Uint8Array {
  const damaged = bytes.slice()
  damaged[at]! ^= 1
  return damaged
}

/** A checkpoint at an address that states the hashes of `shards`, whatever `served` has in their place. */
function remote(
  served: Record<string, Uint8Array> = {},
  open?: NonNullable<Parameters<typeof memorySource>[1]>['open'],
) {
  const source = memorySource(
    { 'model.safetensors.index.json': index, ...shards, ...served },
    { chunkBytes: [70_000], ...(open && { open }) },
  )
  return Object.assign(source, {
    address: 'https://example.org/model/',
    sha256Of: async (path: string) => sha256(shards[path as keyof typeof shards]),
  })
}

async function load(
  source: CheckpointSource,
  options: StreamOptions & { only?: string } = {},
  opened = openCheckpoint(source, { sleep }),
) {
  const got = new Map<string, Uint8Array>()
  const sink = {
    chunkBytes: ({ name }: { name: string }) =>
      options.only === undefined || name === options.only ? 4096 : undefined,
    write({ name }: { name: string }, at: number, piece: Uint8Array) {
      if (!got.has(name)) got.set(name, new Uint8Array(SIZE))
      got.get(name)!.set(piece, at)
    },
  }
  const report = await streamTensors(await opened, sink, { sleep, ...options })
  for (const [name, bytes] of got) expect(Buffer.compare(bytes, values(name === 'a' ? 3 : 7)), name).toBe(0)
  return report
}

const hashes = (report: Awaited<ReturnType<typeof load>>) =>
  Object.fromEntries(report.files.map(({ path, sha256 }) => [path, sha256]))
const stated = {
  '1.safetensors': sha256(shards['1.safetensors']),
  '2.safetensors': sha256(shards['2.safetensors']),
}

describe('weights', () => {
  test('that have the hash their origin states are reported with it', async () => {
    const source = remote()
    expect(hashes(await load(source))).toEqual(stated)
    // Headers are read again with the rest: the hash is the whole file's.
    expect(source.requests.filter(({ end }) => end === shards['1.safetensors'].length)).toMatchObject([
      { start: 0 },
      { start: 0 },
    ])
  })

  test.each([
    ['first', 9],
    ['last', -1],
  ])('with one flipped bit in the %s bytes are refused by the name of their file', async (_, at) => {
    const damaged = flipped(shards['2.safetensors'], at < 0 ? shards['2.safetensors'].length + at : at)
    // The header came whole: what it says is not what fails.
    const source = remote({}, (bytes, { path, count, start }) =>
      chunked(count > 2 && path === '2.safetensors' ? damaged.subarray(start) : bytes, [70_000]),
    )
    const opened = await openCheckpoint(source, { sleep })
    const loading = streamTensors(opened, { chunkBytes: () => 4096, write: () => undefined }, { sleep })
    await expect(loading).rejects.toThrow(CheckpointError)
    await expect(loading).rejects.toThrow(
      `2.safetensors: expected bytes of SHA-256 ${stated['2.safetensors']}`,
    )
  })

  test('are hashed across connections that break', async () => {
    let streams = 0
    const source = remote({}, (bytes) =>
      ++streams > 2 && streams < 7
        ? chunked(bytes.subarray(0, 100_001), [33_333], (c) => c.error(new TypeError('terminated')))
        : chunked(bytes, [33_333]),
    )
    const report = await load(source)
    expect(report.resumes).toBe(4)
    expect(hashes(report)).toEqual(stated)
  })

  test('of which none is stated are taken and reported without', async () => {
    const { name, sizeOf, readText, stream } = remote()
    expect(hashes(await load({ name, sizeOf, readText, stream }))).toEqual({
      '1.safetensors': undefined,
      '2.safetensors': undefined,
    })
  })

  test('that nobody wants are not fetched to hash the rest', async () => {
    const large = new Uint8Array(2 ** 21)
    const two = new Uint8Array(
      Buffer.concat(
        writeSafetensors([
          { name: 'a', dtype: 'U8', shape: [SIZE], data: values(3) },
          { name: 'large', dtype: 'U8', shape: [large.length], data: large },
        ]),
      ),
    )
    const source = Object.assign(memorySource({ 'model.safetensors': two }), {
      sha256Of: async () => sha256(two),
    })
    const report = await load(source, { only: 'a' })
    expect(report).toMatchObject({ fetchedBytes: SIZE, files: [{ path: 'model.safetensors' }] })
    expect(hashes(report)).toEqual({ 'model.safetensors': undefined })
  })

  test('are taken where this device cannot hash, which is told', async () => {
    const report = await load(remote(), { startHash: () => Promise.reject(new Error('no WebAssembly')) })
    expect(report.hashTrouble).toBe('no WebAssembly')
    expect(hashes(report)).toEqual({ '1.safetensors': undefined, '2.safetensors': undefined })
  })

  test('whose hash fails on its way are an error', async () => {
    const startHash: StartHash = async () => ({
      update: () => Promise.reject(new Error('the thread died')),
      digest: async () => '',
      drop: () => undefined,
    })
    await expect(load(remote(), { startHash })).rejects.toThrow('the thread died')
  })

  test('an encoder read whole is held against its hash too', async () => {
    const source = remote({ '2.safetensors': flipped(shards['2.safetensors']) })
    expect((await readEncoder(source, ['1.safetensors'])).bytes).toEqual(shards['1.safetensors'])
    await expect(readEncoder(source, ['2.safetensors'])).rejects.toThrow('2.safetensors: expected bytes of')
  })
})

describe('kept copies', () => {
  const unhashed: StartHash = () => Promise.reject(new Error('nothing should be hashed'))
  const kept = (source: CheckpointSource, store = memoryStore()) => keptSource(source, { store })

  test('that were verified when they were kept are not hashed again, from visit to visit', async () => {
    const store = memoryStore()
    const source = remote()
    const first = kept(source, store)
    await load(first)
    await first.settle()
    const whole = Object.entries(shards).map(([path, bytes]) =>
      JSON.stringify([stated[path as keyof typeof stated], 0, bytes.length]),
    )
    expect([...store.kept.keys()]).toEqual(expect.arrayContaining(whole))
    const requests = source.requests.length
    const report = await load(kept(source, store), { startHash: unhashed })
    expect(hashes(report)).toEqual(stated)
    expect(report.hashTrouble).toBeUndefined()
    expect(source.requests).toHaveLength(requests)
  })

  test('of a file with a wrong hash are thrown away, so that the next load works', async () => {
    const store = memoryStore()
    const opened = openCheckpoint(remote(), { sleep })
    const bad = kept(remote({ '2.safetensors': flipped(shards['2.safetensors']) }), store)
    const checkpoint = (source: CheckpointSource) => opened.then((found) => ({ ...found, source }))
    await expect(load(bad, {}, checkpoint(bad))).rejects.toThrow('2.safetensors: expected bytes of SHA-256')
    await bad.settle()
    expect(store.open).toEqual(new Set())
    const { length } = shards['2.safetensors']
    expect(store.kept.has(JSON.stringify([stated['2.safetensors'], 0, length]))).toBe(false)
    expect(store.left.size).toBe(0)
    const good = kept(remote(), store)
    expect(hashes(await load(good, {}, checkpoint(good)))).toEqual(stated)
  })

  test('of files that were not judged are forgotten', async () => {
    const store = memoryStore()
    const source = kept(remote(), store)
    const size = shards['1.safetensors'].length
    await new Response(await source.stream('1.safetensors', { start: 0, end: size })).arrayBuffer()
    await source.settle()
    expect(store.kept.size).toBe(0)
    expect(store.open).toEqual(new Set())
  })

  test('that cannot be read to their end are fetched anew and hashed from the beginning', async () => {
    const store = memoryStore()
    const first = kept(remote(), store)
    await load(first)
    await first.settle()
    for (const [key, bytes] of store.kept) {
      if (key.includes('1.safetensors')) store.kept.set(key, bytes.subarray(0, 200_000))
    }
    const done: number[] = []
    const report = await load(kept(remote(), store), { onProgress: ({ doneBytes }) => done.push(doneBytes) })
    expect(hashes(report)).toEqual(stated)
    expect(done.at(-1)).toBe(shards['1.safetensors'].length + shards['2.safetensors'].length)
  })
})

describe('stated hashes', () => {
  const oid = 'a'.repeat(64)
  async function serving(handle: Parameters<typeof serve>[0]) {
    const server = await serve(handle)
    servers.push(server)
    return server
  }

  test('of the hub are those of its listing, read once and page by page, with the token', async () => {
    const page = (path: string) =>
      JSON.stringify([
        { type: 'file', path, size: 10, oid: 'b'.repeat(40), lfs: { oid, size: 10 } },
        { type: 'file', path: 'config.json', size: 10, oid: 'b'.repeat(40) },
        { type: 'directory', path: 'sub', oid: 'b'.repeat(40) },
      ])
    const server = await serving((request, response) => {
      const isSecond = request.url!.includes('cursor')
      if (!isSecond) {
        const next = `${request.url}&cursor=2`
        response.setHeader('link', `<http://${request.headers.host}${next}>; rel="next"`)
      }
      response.end(page(isSecond ? 'sub/2.bin' : '1.safetensors'))
    })
    const source = hubSource({ repo: 'o/n@v1/x', endpoint: server.origin, token: 'hf_x', sleep })
    expect(await source.sha256Of!('1.safetensors')).toBe(oid)
    expect(await subfolderSource(source, 'sub').sha256Of!('2.bin')).toBe(oid)
    expect(await source.sha256Of!('config.json')).toBeUndefined()
    expect(server.requests.map(({ url }) => url)).toEqual([
      '/api/models/o/n/tree/v1%2Fx?recursive=true',
      '/api/models/o/n/tree/v1%2Fx?recursive=true&cursor=2',
    ])
    expect(server.requests.every(({ headers }) => headers.authorization === 'Bearer hf_x')).toBe(true)
  })

  test('are not looked for on another host', async () => {
    const other = await serving((_, response) => response.end('[]'))
    const server = await serving((_, response) => {
      response.setHeader('link', `<${other.origin}/more>; rel="next"`)
      response.end('[]')
    })
    await hubSource({ repo: 'o/n', endpoint: server.origin, token: 'hf_x', sleep }).sha256Of!('1.bin')
    expect(other.requests).toEqual([])
  })

  test.each([
    [404, ''],
    [200, 'no JSON'],
    [500, ''],
  ])(
    'of a mirror that answers %d %s to the listing come from the header of the file',
    async (status, text) => {
      const bytes = new Uint8Array(10)
      const server = await serving((request, response) => {
        if (request.url!.startsWith('/api/')) return response.writeHead(status).end(text)
        response.setHeader('x-linked-etag', `"${oid.toUpperCase()}"`)
        sendFile(request, response, bytes)
      })
      const source = hubSource({ repo: 'o/n', endpoint: server.origin, sleep })
      expect(await source.sizeOf('1.bin')).toBe(10)
      expect(await source.sha256Of!('1.bin')).toBe(oid)
      expect(await source.sha256Of!('2.bin')).toBeUndefined()
    },
  )

  test('of a folder are those of SHA256SUMS', async () => {
    const text = `${oid}  1.bin\r\n${oid} *./sub/2.bin\nsome other line\n`
    const server = await serving((request, response) =>
      request.url === '/folder/SHA256SUMS' ? response.end(text) : response.writeHead(404).end(),
    )
    const source = httpSource(`${server.origin}/folder/`, { sleep })
    expect(await source.sha256Of!('1.bin')).toBe(oid)
    expect(await source.sha256Of!('sub/2.bin')).toBe(oid)
    expect(await source.sha256Of!('3.bin')).toBeUndefined()
    expect(server.requests).toHaveLength(1)
  })

  test('are asked for again after a cancelled load', async () => {
    const server = await serving((_, response) => response.end(`${oid}  1.bin\n`))
    const source = httpSource(server.origin, { sleep })
    const abort = new AbortController()
    abort.abort()
    await expect(source.sha256Of!('1.bin', abort.signal)).rejects.toThrow('cancelled')
    expect(await source.sha256Of!('1.bin')).toBe(oid)
  })
})
