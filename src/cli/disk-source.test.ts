import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DiskSource } from './disk-source'

const CHUNK = 4 << 20
const SIZE = 2 * CHUNK + 17
const bytes = Uint8Array.from({ length: SIZE }, (_, i) => (i * 31 + (i >> 13)) & 255)

let root: string
let source: DiskSource

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-disk-'))
  const folder = join(root, 'model')
  await mkdir(join(folder, 'sub'), { recursive: true })
  await writeFile(join(folder, 'weights.bin'), bytes)
  await writeFile(join(folder, 'sub', 'config.json'), '{"é":1}')
  await writeFile(join(folder, 'empty.bin'), '')
  await writeFile(join(folder, 'latin1.txt'), Uint8Array.of(0xe9, 0x20))
  await writeFile(join(root, 'outside.txt'), 'secret')
  source = new DiskSource(folder)
})
afterAll(() => rm(root, { recursive: true }))

async function collect(stream: ReadableStream<Uint8Array>) {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return chunks
}

describe('disk source', () => {
  test('is named after its folder', () => {
    expect(source.name).toBe('model')
  })

  test('tells sizes, and undefined for what is no file', async () => {
    expect(await source.sizeOf('weights.bin')).toBe(SIZE)
    expect(await source.sizeOf('absent.bin')).toBeUndefined()
    expect(await source.sizeOf('sub')).toBeUndefined()
    expect(await source.sizeOf('weights.bin/below')).toBeUndefined()
  })

  test('reads text whole, within a bound', async () => {
    expect(await source.readText('sub/config.json')).toBe('{"é":1}')
    expect(await source.readText('absent.json')).toBeUndefined()
    await expect(source.readText('weights.bin', { maxBytes: 100 })).rejects.toThrow(
      /at most 100 bytes, got 8388625/,
    )
    await expect(source.readText('latin1.txt')).rejects.toThrow('expected UTF-8 text')
  })

  test.each([
    [0, SIZE],
    [0, 0],
    [5, CHUNK + 5],
    [CHUNK - 1, CHUNK + 1],
    [SIZE - 1, SIZE],
    [SIZE, SIZE],
  ])('streams bytes %i to %i in bounded chunks', async (start, end) => {
    const chunks = await collect(await source.stream('weights.bin', { start, end }))
    expect(Math.max(0, ...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(CHUNK)
    expect(Buffer.concat(chunks).equals(bytes.subarray(start, end))).toBe(true)
  })

  test('streams a whole file by default, an empty one too', async () => {
    expect(Buffer.concat(await collect(await source.stream('weights.bin'))).equals(bytes)).toBe(true)
    expect(await collect(await source.stream('empty.bin'))).toEqual([])
  })

  test('refuses ranges and files that are not there', async () => {
    await expect(source.stream('weights.bin', { end: SIZE + 1 })).rejects.toMatchObject({
      name: 'CheckpointError',
    })
    await expect(source.stream('weights.bin', { start: 9, end: 8 })).rejects.toMatchObject({
      name: 'CheckpointError',
    })
    await expect(source.stream('absent.bin')).rejects.toMatchObject({ name: 'NetworkError' })
  })

  test.each(['../outside.txt', 'sub/../../outside.txt', '/etc/hostname', '..', ''])(
    'refuses to leave its folder by "%s"',
    async (path) => {
      await expect(source.sizeOf(path)).rejects.toMatchObject({ name: 'CheckpointError' })
      await expect(source.readText(path)).rejects.toMatchObject({ name: 'CheckpointError' })
      await expect(source.stream(path)).rejects.toMatchObject({ name: 'CheckpointError' })
    },
  )

  test('stops reading when it is aborted', async () => {
    const abort = new AbortController()
    const reader = (await source.stream('weights.bin', { signal: abort.signal })).getReader()
    expect((await reader.read()).value?.length).toBe(CHUNK)
    abort.abort()
    await expect(reader.read()).rejects.toMatchObject({ name: 'AbortError' })
    await expect(source.sizeOf('weights.bin', abort.signal)).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('can be cancelled half-way', async () => {
    const reader = (await source.stream('weights.bin')).getReader()
    await reader.read()
    await reader.cancel()
    expect((await reader.read()).done).toBe(true)
  })
})
