import { describe, expect, test } from 'vitest'
import { AbortError, CheckpointError, NetworkError } from '../errors'
import { openCheckpoint } from './checkpoint'
import { writeSafetensors, type TensorData } from './safetensors-writer'
import { streamTensors, type StreamOptions, type TensorSink } from './stream-tensors'
import type { StreamProgress } from './progress'
import { chunked, memorySource, type FileContents, type MemorySource } from './testing/memory-source'
import { seededRandom } from './testing/random'

function tensor(name: string, elements: number, seed = elements): TensorData {
  const random = seededRandom(seed)
  const data = new Uint8Array(elements).map(() => Math.floor(random() * 256))
  return { name, dtype: 'U8', shape: [elements], data }
}

function file(tensors: TensorData[]): Uint8Array {
  return new Uint8Array(Buffer.concat(writeSafetensors(tensors)))
}

/** Writes pieces where they belong and remembers their sizes. */
class Collector implements TensorSink {
  readonly tensors = new Map<string, Uint8Array>()
  readonly pieces: { name: string; byteOffset: number; size: number }[] = []
  readonly buffers = new Set<ArrayBufferLike>()
  constructor(readonly size: (name: string) => number | undefined = () => 8) {}
  chunkBytes({ name }: { name: string }) {
    return this.size(name)
  }
  async write(entry: { name: string; start: number; end: number }, byteOffset: number, bytes: Uint8Array) {
    this.pieces.push({ name: entry.name, byteOffset, size: bytes.byteLength })
    this.buffers.add(bytes.buffer)
    // The view must hold until the promise resolves.
    await Promise.resolve()
    const whole = this.tensors.get(entry.name) ?? new Uint8Array(entry.end - entry.start)
    whole.set(bytes, byteOffset)
    this.tensors.set(entry.name, whole)
  }
}

const waits: number[] = []
const noSleep = async (ms: number) => void waits.push(ms)

async function stream(source: MemorySource, sink: TensorSink, options: StreamOptions = {}) {
  const checkpoint = await openCheckpoint(source, { sleep: noSleep })
  source.requests.length = 0
  waits.length = 0
  return streamTensors(checkpoint, sink, { sleep: noSleep, ...options })
}

function single(tensors: TensorData[], options?: Parameters<typeof memorySource>[1]): MemorySource {
  return memorySource({ 'model.safetensors': file(tensors) }, options)
}

describe('pieces', () => {
  test.each([[[1]], [[7, 1, 13]], [[1000]], [[8]], [[3, 64]]])(
    'are cut to the size asked for, whatever the chunks of the network (%j)',
    async (chunkBytes) => {
      const tensors = [tensor('a', 50), tensor('b', 16), tensor('c', 3), tensor('empty', 0), tensor('d', 1)]
      const sink = new Collector((name) => (name === 'a' ? 8 : 5))
      const report = await stream(single(tensors, { chunkBytes }), sink)

      for (const { name, data } of tensors.filter(({ data }) => data.byteLength > 0)) {
        expect([...sink.tensors.get(name)!], name).toEqual([...data])
      }
      expect(sink.tensors.has('empty')).toBe(false)
      expect(sink.pieces.filter(({ name }) => name === 'a').map(({ size }) => size)).toEqual([
        8, 8, 8, 8, 8, 8, 2,
      ])
      expect(sink.pieces.filter(({ name }) => name === 'b').map(({ byteOffset }) => byteOffset)).toEqual([
        0, 5, 10, 15,
      ])
      expect(report).toMatchObject({ writtenBytes: 70, fetchedBytes: 70, resumes: 0 })
    },
  )

  test('come in the order of each file, from blocks that the peak counts with a chunk of each connection', async () => {
    const sink = new Collector(() => 24)
    const source = memorySource(
      {
        'model.safetensors.index.json': '{"weight_map":{"b":"2.safetensors","a":"1.safetensors"}}',
        '1.safetensors': file([tensor('a', 100)]),
        '2.safetensors': file([tensor('b', 50)]),
      },
      { chunkBytes: [10, 40] },
    )
    const report = await stream(source, sink)
    const offsets = (name: string) => sink.pieces.flatMap((p) => (p.name === name ? [p.byteOffset] : []))
    expect(offsets('a')).toEqual([0, 24, 48, 72, 96])
    expect(offsets('b')).toEqual([0, 24, 48])
    // A block for each of two connections.
    expect(sink.buffers.size).toBe(2)
    expect(report.peakHostBytes).toBe(2 * 100 + 2 * 40)
    expect(report.files).toEqual([
      { source: 'memory', path: '1.safetensors' },
      { source: 'memory', path: '2.safetensors' },
    ])
  })

  test('are fetched ahead while the sink is busy, as far as the blocks reach', async () => {
    let given = 0
    const source = single([tensor('a', 200e6)], {
      open: (data, { count }) => {
        const chunks = chunked(data, [1e6])
        if (count === 1) return chunks
        return chunks.pipeThrough(
          new TransformStream({ transform: (chunk, c) => (given++, c.enqueue(chunk)) }),
        )
      },
    })
    const opened = await openCheckpoint(source)
    const abort = new AbortController()
    const streaming = streamTensors(
      opened,
      { chunkBytes: () => 4 * 2 ** 20, write: () => new Promise<void>(() => undefined) },
      { signal: abort.signal },
    )
    let before = -1
    for (; before < given; await new Promise((resolve) => setTimeout(resolve, 50))) before = given
    abort.abort()
    await expect(streaming).rejects.toBeInstanceOf(AbortError)
    // Eight blocks of 4 MiB, the one that is being written among them, and what streams hold between them.
    expect(given).toBeGreaterThanOrEqual(33)
    expect(given).toBeLessThan(40)
  })

  test('may be as large as the tensor: the staging buffer is no larger than the largest tensor', async () => {
    const report = await stream(
      single([tensor('a', 100)], { chunkBytes: [10] }),
      new Collector(() => 8 * 1024 ** 2),
    )
    expect(report.peakHostBytes).toBe(110)
  })

  test.each([0, -8, 1.5, NaN])('of %d bytes are refused', async (size) => {
    await expect(stream(single([tensor('a', 100)]), new Collector(() => size))).rejects.toBeInstanceOf(
      CheckpointError,
    )
  })

  test('an error of the sink ends the stream', async () => {
    const sink: TensorSink = {
      chunkBytes: () => 8,
      write: () => Promise.reject(new Error('device lost')),
    }
    await expect(stream(single([tensor('a', 100)]), sink)).rejects.toThrow('device lost')
  })
})

describe('tensors nobody wants', () => {
  const large = 1024 * 1024 + 1
  const tensors = [tensor('a', 10), tensor('b', large), tensor('c', 10), tensor('d', 20), tensor('e', 10)]
  const wanted = (...names: string[]) => new Collector((name) => (names.includes(name) ? 4 : undefined))

  test('are left out of the request where the gap is large, and read over where it is small', async () => {
    const source = single(tensors, { chunkBytes: [1000] })
    const sink = wanted('a', 'c', 'e')
    const report = await stream(source, sink)
    expect(source.requests).toHaveLength(2)
    expect(report).toMatchObject({ writtenBytes: 30, fetchedBytes: 10 + 40 })
    expect([...sink.tensors.keys()]).toEqual(['a', 'c', 'e'])
    expect([...sink.tensors.get('e')!]).toEqual([...tensors[4]!.data])
  })

  test('are read over where the server ignores ranges', async () => {
    const source = single(tensors, { chunkBytes: [70_000] })
    source.ignoresRanges = true
    const sink = wanted('a', 'c')
    await stream(source, sink)
    expect(source.requests).toHaveLength(1)
    expect([...sink.tensors.get('c')!]).toEqual([...tensors[2]!.data])
  })

  test('cost nothing when they fill a file', async () => {
    const source = single(tensors)
    const progress: StreamProgress[] = []
    const report = await stream(source, wanted(), { onProgress: (p) => progress.push(p) })
    expect(source.requests).toEqual([])
    expect(report).toEqual({ peakHostBytes: 0, writtenBytes: 0, fetchedBytes: 0, resumes: 0, files: [] })
    expect(progress).toEqual([])
  })
})

describe('troubles of the network', () => {
  const tensors = [tensor('a', 1000), tensor('b', 500)]
  const contents: FileContents = { 'model.safetensors': file(tensors) }

  /** Fails in the given way, after `bytes` bytes of each of the first `times` streams of weights. */
  function failing(
    times: number,
    bytes: number,
    how: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void>,
  ): MemorySource {
    let streams = -1
    return memorySource(contents, {
      // Stream 0 is the header's.
      open: (data) =>
        ++streams >= 1 && streams <= times
          ? chunked(data.subarray(0, bytes), [64], how)
          : chunked(data, [64]),
    })
  }

  const drop = (c: ReadableStreamDefaultController<Uint8Array>) => c.error(new TypeError('terminated'))
  const closeEarly = (c: ReadableStreamDefaultController<Uint8Array>) => c.close()
  const stall = () => new Promise<void>(() => undefined)

  test.each([
    ['dropped', drop],
    ['closed early', closeEarly],
    ['stalled', stall],
  ])('a connection that is %s is taken up at the byte reached', async (_, how) => {
    const source = failing(2, 150, how)
    const sink = new Collector(() => 32)
    const progress: number[] = []
    let time = 0
    const report = await stream(source, sink, {
      stallMs: 30,
      now: () => (time += 1000),
      onProgress: ({ doneBytes }) => progress.push(doneBytes),
    })

    const first = source.requests[0]!.start
    expect(source.requests.map(({ start }) => start - first)).toEqual([0, 150, 300])
    expect(new Set(source.requests.map(({ end }) => end))).toHaveLength(1)
    for (const { name, data } of tensors) expect([...sink.tensors.get(name)!], name).toEqual([...data])
    // No piece twice.
    expect(report).toMatchObject({ writtenBytes: 1500, fetchedBytes: 1500, resumes: 2 })
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(1500)
    expect(waits).toEqual([500, 1000])
  })

  test.each([
    ['dropping', drop, 'terminated'],
    ['ending early', closeEarly, 'ended early'],
  ])('a connection that keeps %s is given up after three more tries', async (_, how, reason) => {
    const source = failing(99, 10, how)
    const streaming = stream(source, new Collector())
    await expect(streaming).rejects.toBeInstanceOf(NetworkError)
    await expect(streaming).rejects.toThrow(reason)
    expect(source.requests).toHaveLength(4)
  })

  test('a connection may drop often in a long download, if it brings much each time', async () => {
    const big: TensorData = { name: 'a', dtype: 'U8', shape: [100e6], data: new Uint8Array(100e6).fill(1) }
    let streams = -1
    const source = memorySource(
      { 'model.safetensors': file([big]) },
      {
        open: (data) => {
          const cut = ++streams === 0 ? data : data.subarray(0, 17e6)
          return chunked(cut, [1e6], streams < 6 ? drop : closeEarly)
        },
      },
    )
    let sum = 0
    const report = await stream(source, {
      chunkBytes: () => 4e6,
      write: (_, __, bytes) => void (sum += bytes.byteLength),
    })
    expect(sum).toBe(100e6)
    expect(report.resumes).toBe(5)
  })

  test('more bytes than asked for are an error, not weights', async () => {
    const source = memorySource(contents, {
      open: (data, { count }) =>
        count === 1 ? chunked(data) : chunked(Buffer.concat([data, Buffer.from('x')]), [64]),
    })
    const streaming = stream(source, new Collector())
    await expect(streaming).rejects.toBeInstanceOf(NetworkError)
    await expect(streaming).rejects.toThrow('got more')
  })

  test('an error that is not of the network is not tried again', async () => {
    const source = failing(99, 10, (c) => c.error(new CheckpointError('disk: the file changed')))
    await expect(stream(source, new Collector())).rejects.toThrow('disk: the file changed')
    expect(source.requests).toHaveLength(1)
  })

  test.each([
    ['stalled connection', stall],
    ['sink that never ends', undefined],
  ])('cancelling stops a %s at once', async (_, how) => {
    const abort = new AbortController()
    const source = how ? failing(1, 64, how) : memorySource(contents)
    const sink = new Collector(() => 32)
    let writes = 0
    const streaming = stream(
      source,
      { chunkBytes: () => 32, write: () => (writes++, how ? undefined : new Promise<void>(() => undefined)) },
      { signal: abort.signal },
    )
    setTimeout(() => abort.abort(), 20)
    const started = performance.now()
    await expect(streaming).rejects.toBeInstanceOf(AbortError)
    expect(performance.now() - started).toBeLessThan(1000)
    // A block goes to the sink as a whole.
    expect(writes).toBe(how ? 0 : 1)
    expect(sink.pieces).toEqual([])
  })

  test('cancelling ends the wait before a retry and lets the connection go', async () => {
    const abort = new AbortController()
    const streaming = stream(failing(9, 64, drop), new Collector(), {
      signal: abort.signal,
      sleep: undefined,
    })
    setTimeout(() => abort.abort(), 20)
    const started = performance.now()
    await expect(streaming).rejects.toBeInstanceOf(AbortError)
    expect(performance.now() - started).toBeLessThan(400)

    let isCancelled = false
    const held = memorySource(contents, {
      open: (data, { count }) =>
        count === 1
          ? chunked(data)
          : new ReadableStream({
              start: (c) => c.enqueue(data.slice(0, 100)),
              cancel: () => void (isCancelled = true),
            }),
    })
    const again = new AbortController()
    setTimeout(() => again.abort(), 20)
    await expect(stream(held, new Collector(), { signal: again.signal })).rejects.toBeInstanceOf(AbortError)
    expect(isCancelled).toBe(true)
  })
})

describe('progress', () => {
  test('is throttled, never goes back, and ends with everything done', async () => {
    const files: FileContents = {
      'model.safetensors.index.json': '{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}',
      '1.safetensors': file([tensor('a', 4000)]),
      '2.safetensors': file([tensor('b', 2000)]),
    }
    const progress: StreamProgress[] = []
    let time = 0
    await stream(memorySource(files, { chunkBytes: [10] }), new Collector(() => 100), {
      // 10 bytes a millisecond, so 6000 bytes take 600 ms.
      now: () => time++,
      onProgress: (p) => progress.push(p),
    })
    expect(progress.length).toBeGreaterThanOrEqual(6)
    expect(progress.length).toBeLessThanOrEqual(9)
    // Of two files that come at once, the first is told until it is done.
    expect(progress.map(({ fileIndex }) => fileIndex)).toEqual([...Array(progress.length - 1).fill(0), 1])
    expect(progress[0]).toMatchObject({
      file: '1.safetensors',
      doneBytes: 0,
      totalBytes: 6000,
      secondsLeft: Infinity,
    })
    const done = progress.map(({ doneBytes }) => doneBytes)
    expect(done).toEqual([...done].sort((a, b) => a - b))
    for (const { bytesPerSecond } of progress.slice(1)) {
      expect(bytesPerSecond).toBeGreaterThan(9000)
      expect(bytesPerSecond).toBeLessThan(11_000)
    }
    expect(progress.at(-1)).toMatchObject({
      file: '2.safetensors',
      fileIndex: 1,
      fileCount: 2,
      fileDoneBytes: 2000,
      fileTotalBytes: 2000,
      doneBytes: 6000,
      totalBytes: 6000,
      secondsLeft: 0,
    })
  })
})
