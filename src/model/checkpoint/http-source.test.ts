import { afterEach, describe, expect, test } from 'vitest'
import { AbortError, CheckpointError, ConfigError, NetworkError } from '../errors'
import { openCheckpoint } from './checkpoint'
import { httpSource } from './http-source'
import { writeSafetensors } from './safetensors-writer'
import { streamTensors } from './stream-tensors'
import { sendFile, serve, type TestServer } from './testing/server'

const servers: TestServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serving(...args: Parameters<typeof serve>): Promise<TestServer> {
  const server = await serve(...args)
  servers.push(server)
  return server
}

const noSleep = async () => undefined
const options = { sleep: noSleep }
const bytes = new Uint8Array(3000).map((_, i) => i % 251)

async function collect(stream: ReadableStream<Uint8Array>): Promise<number[]> {
  const all: number[] = []
  for await (const chunk of stream) all.push(...chunk)
  return all
}

describe('sizeOf', () => {
  test('asks with HEAD', async () => {
    const server = await serving((request, response) => sendFile(request, response, bytes))
    expect(await httpSource(server.origin, options).sizeOf('a.bin')).toBe(3000)
    expect(server.requests.map(({ method }) => method)).toEqual(['HEAD'])
  })

  test.each<[string, Parameters<typeof serve>[0], number | undefined]>([
    [
      'HEAD is not allowed',
      (request, response) =>
        request.method === 'HEAD' ? response.writeHead(405).end() : sendFile(request, response, bytes),
      3000,
    ],
    [
      'HEAD is not implemented',
      (request, response) =>
        request.method === 'HEAD' ? response.writeHead(501).end() : sendFile(request, response, bytes),
      3000,
    ],
    [
      'HEAD tells the length of a compressed body',
      (request, response) =>
        request.method === 'HEAD'
          ? response.writeHead(200, { 'content-length': 11, 'content-encoding': 'gzip' }).end()
          : sendFile(request, response, bytes),
      3000,
    ],
    [
      'HEAD tells no length',
      (request, response) =>
        request.method === 'HEAD'
          ? response.writeHead(200, { 'transfer-encoding': 'chunked' }).end()
          : sendFile(request, response, bytes),
      3000,
    ],
    [
      'HEAD tells no length and the file is empty',
      (request, response) =>
        request.method === 'HEAD'
          ? response.writeHead(405).end()
          : sendFile(request, response, new Uint8Array(0)),
      0,
    ],
    [
      'ranges are ignored too',
      (request, response) => {
        if (request.method === 'HEAD') response.writeHead(405).end()
        else response.writeHead(200, { 'content-length': 3000 }).end(bytes)
      },
      3000,
    ],
    ['there is no such file', (_, response) => void response.writeHead(404).end(), undefined],
    [
      'an app answers with its own page',
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>'),
      undefined,
    ],
  ])('knows it where %s', async (_, handle, size) => {
    const server = await serving(handle)
    expect(await httpSource(`${server.origin}/folder`, options).sizeOf('a.bin')).toBe(size)
  })

  test('says so where it cannot be told', async () => {
    const server = await serving(
      (_, response) => void response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(),
    )
    const asking = httpSource(server.origin, options).sizeOf('a.bin')
    await expect(asking).rejects.toBeInstanceOf(NetworkError)
    await expect(asking).rejects.toThrow('Content-Range')
  })
})

describe('readText', () => {
  test('reads a small file, a missing one, and compressed ones', async () => {
    const { gzipSync } = await import('node:zlib')
    const server = await serving((request, response) => {
      if (request.url === '/dir/a%20%23b.json') response.end('{"é":1}')
      else if (request.url === '/dir/z.json') {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"z":1}'))
      } else response.writeHead(404).end()
    })
    const source = httpSource(`${server.origin}/dir`, options)
    expect(await source.readText('a #b.json')).toBe('{"é":1}')
    expect(await source.readText('z.json')).toBe('{"z":1}')
    expect(await source.readText('nothing.json')).toBeUndefined()
  })

  test.each([
    ['announced', true],
    ['unannounced', false],
  ])('refuses a file that is too large (%s)', async (_, isAnnounced) => {
    const server = await serving((request, response) => {
      if (isAnnounced) sendFile(request, response, bytes)
      else response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(bytes)
    })
    const reading = httpSource(server.origin, options).readText('a.json', { maxBytes: 2999 })
    await expect(reading).rejects.toBeInstanceOf(CheckpointError)
    await expect(reading).rejects.toThrow('at most 2999 bytes')
  })

  test('refuses bytes that are no text', async () => {
    const server = await serving((_, response) => void response.end(new Uint8Array([0xff, 0xfe])))
    await expect(httpSource(server.origin, options).readText('a.json')).rejects.toThrow('UTF-8')
  })

  test('tries again when the connection drops in the middle', async () => {
    let count = 0
    const server = await serving((_, response) => {
      response.writeHead(200, { 'content-length': 4 })
      if (++count > 1) return void response.end('text')
      response.write('te')
      setTimeout(() => response.destroy(), 10)
    })
    expect(await httpSource(server.origin, options).readText('a.json')).toBe('text')
    expect(count).toBe(2)
  })
})

describe('stream', () => {
  test.each([
    [undefined, undefined],
    [0, 10],
    [7, 2000],
    [2999, undefined],
    [5, 5],
  ])('gives the bytes from %s to %s', async (start, end) => {
    const server = await serving((request, response) => sendFile(request, response, bytes))
    const stream = await httpSource(server.origin, options).stream('a.bin', { start, end })
    expect(await collect(stream)).toEqual([...bytes.subarray(start, end)])
  })

  test.each([
    [0, 10],
    [7, 2000],
    [2999, undefined],
  ])('cuts the bytes from %s to %s out of a whole file, where ranges are ignored', async (start, end) => {
    const server = await serving((_, response) => void response.end(bytes))
    const source = httpSource(server.origin, options)
    expect(await collect(await source.stream('a.bin', { start, end }))).toEqual([
      ...bytes.subarray(start, end),
    ])
    expect(source.ignoresRanges).toBe(true)
  })

  test('refuses to read a large file from its beginning to reach a byte far in', async () => {
    const server = await serving((_, response) => void response.end(bytes))
    await expect(httpSource(server.origin, options).stream('a.bin', { start: 1e9 })).rejects.toThrow(
      'ignores byte ranges',
    )
  })

  test.each<[string, Parameters<typeof serve>[0], string]>([
    ['a missing file', (_, response) => void response.writeHead(404).end(), 'the server has none'],
    [
      'another range than asked for',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end('0123456789'),
      'got bytes from 0 on',
    ],
    ['a file that shrank', (_, response) => void response.writeHead(416).end(), 'shorter'],
    ['a refusal', (_, response) => void response.writeHead(403).end(), 'without signing in'],
    ['another status', (_, response) => void response.writeHead(418).end(), 'answered 418'],
  ])('refuses %s', async (_, handle, message) => {
    const server = await serving(handle)
    const streaming = httpSource(server.origin, options).stream('a.bin', { start: 1 })
    await expect(streaming).rejects.toBeInstanceOf(NetworkError)
    await expect(streaming).rejects.toThrow(message)
    expect(server.requests).toHaveLength(1)
  })
})

describe('a busy server', () => {
  test.each([429, 500, 503])('is asked again after %d, waiting as long as it wants', async (status) => {
    let count = 0
    const waits: number[] = []
    const server = await serving((request, response) => {
      if (++count <= 2) response.writeHead(status, { 'retry-after': '3' }).end()
      else sendFile(request, response, bytes)
    })
    const source = httpSource(server.origin, { sleep: async (ms) => void waits.push(ms) })
    expect(await source.sizeOf('a.bin')).toBe(3000)
    expect(waits).toEqual([3000, 3000])
  })

  test('is given up after four answers', async () => {
    const server = await serving((_, response) => void response.writeHead(503).end())
    const streaming = httpSource(server.origin, options).stream('a.bin')
    await expect(streaming).rejects.toBeInstanceOf(NetworkError)
    await expect(streaming).rejects.toThrow(
      'answered 503; it is busy or broken, try again later (tried 4 times)',
    )
    expect(server.requests).toHaveLength(4)
  })

  test('that never answers is given up too', async () => {
    const server = await serving(() => undefined)
    const asking = httpSource(server.origin, { ...options, stallMs: 20 }).sizeOf('a.bin')
    await expect(asking).rejects.toThrow('no answer for 0.02 s')
  })

  test('that is not there is named', async () => {
    const server = await serve(() => undefined)
    await server.close()
    const asking = httpSource(server.origin, options).sizeOf('a.bin')
    await expect(asking).rejects.toBeInstanceOf(NetworkError)
    await expect(asking).rejects.toThrow('ECONNREFUSED')
  })

  test('is left at once when cancelled', async () => {
    const abort = new AbortController()
    const server = await serving(() => abort.abort()) // and no answer
    const source = httpSource(server.origin, options)
    await expect(source.readText('a.json', { signal: abort.signal })).rejects.toBeInstanceOf(AbortError)
    await expect(source.stream('a.bin', { signal: abort.signal })).rejects.toBeInstanceOf(AbortError)
    expect(server.requests).toHaveLength(1)
  })
})

describe('the base URL', () => {
  test.each([
    'folder',
    'ftp://host/a',
    'file:///a',
    'https://h/a?x=1',
    'https://h/a#b',
    'http://u:secret@h/',
  ])('%s is refused', (url) => {
    expect(() => httpSource(url)).toThrow(ConfigError)
    expect(() => httpSource(url)).not.toThrow('secret')
  })

  test('paths that lead out of the folder are never asked for', async () => {
    const server = await serving((request, response) => sendFile(request, response, bytes))
    const source = httpSource(`${server.origin}/folder`, options)
    for (const path of ['../x', '/x', 'https://evil.example/x', 'a//b', '', 'a/./b', 'a\\b']) {
      await expect(source.sizeOf(path)).rejects.toBeInstanceOf(CheckpointError)
      await expect(source.readText(path)).rejects.toBeInstanceOf(CheckpointError)
      await expect(source.stream(path)).rejects.toBeInstanceOf(CheckpointError)
    }
    expect(server.requests).toEqual([])
  })
})

describe('a whole checkpoint over HTTP', () => {
  const data = new Uint8Array(200_000).map((_, i) => (i * 7) % 256)
  const checkpointFile = Buffer.concat(writeSafetensors([{ name: 'a', dtype: 'U8', shape: [200_000], data }]))

  async function load(handle: Parameters<typeof serve>[0]) {
    const server = await serving((request, response) =>
      request.url === '/model.safetensors' ? handle(request, response) : response.writeHead(404).end(),
    )
    const got = new Uint8Array(200_000)
    const checkpoint = await openCheckpoint(httpSource(server.origin, options), options)
    const report = await streamTensors(
      checkpoint,
      { chunkBytes: () => 4096, write: (_, at, piece) => got.set(piece, at) },
      options,
    )
    expect(Buffer.compare(got, data)).toBe(0)
    return { server, report }
  }

  test('loads', async () => {
    const { server } = await load((request, response) => sendFile(request, response, checkpointFile))
    const asked = server.requests.map(({ method, url }) => `${method} ${url}`)
    expect(asked.sort()).toEqual([
      'GET /SHA256SUMS',
      'GET /model.safetensors',
      'GET /model.safetensors',
      'HEAD /model.safetensors',
    ])
  })

  test('loads from a server that drops connections', async () => {
    let gets = 0
    const { report } = await load((request, response) => {
      // The header request is the first GET; the two after it break off in the middle.
      if (request.method === 'HEAD' || ++gets === 1 || gets > 3)
        return sendFile(request, response, checkpointFile)
      const start = Number(/\d+/.exec(request.headers.range!)![0])
      const rest = checkpointFile.subarray(start)
      response.writeHead(206, {
        'content-length': rest.byteLength,
        'content-range': `bytes ${start}-${checkpointFile.byteLength - 1}/${checkpointFile.byteLength}`,
      })
      response.write(rest.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 10))
    })
    expect(report.resumes).toBe(2)
  })

  test('loads from a server that ignores ranges', async () => {
    await load((request, response) => {
      response.writeHead(200, { 'content-length': checkpointFile.byteLength })
      response.end(request.method === 'HEAD' ? undefined : checkpointFile)
    })
  })
})
