import { describe, expect, test } from 'vitest'
import { AbortError, CheckpointError } from '../errors'
import { openCheckpoint, parseShardIndex } from './checkpoint'
import { writeSafetensors, type TensorData } from './safetensors-writer'
import { memorySource } from './testing/memory-source'

function tensor(name: string, elements: number): TensorData {
  return { name, dtype: 'U8', shape: [elements], data: new Uint8Array(elements).fill(elements) }
}

function safetensors(...tensors: TensorData[]): Uint8Array {
  return Uint8Array.from(writeSafetensors(tensors).flatMap((chunk) => [...chunk]))
}

const shardA = 'model-00001-of-00002.safetensors'
const shardB = 'model-00002-of-00002.safetensors'

function sharded(weightMap: Record<string, unknown>, more: Record<string, Uint8Array | string> = {}) {
  return {
    'model.safetensors.index.json': JSON.stringify({ metadata: { total_size: 5 }, weight_map: weightMap }),
    [shardA]: safetensors(tensor('a', 2)),
    [shardB]: safetensors(tensor('b', 3), tensor('c', 4)),
    ...more,
  }
}

describe('openCheckpoint', () => {
  test('reads a single file', async () => {
    const file = safetensors(tensor('a', 2), tensor('b', 3))
    const checkpoint = await openCheckpoint(memorySource({ 'model.safetensors': file }))
    expect(checkpoint.files).toEqual([{ path: 'model.safetensors', sizeBytes: file.byteLength }])
    expect(checkpoint.weightBytes).toBe(5)
    const { start, end, file: path } = checkpoint.tensors.get('b')!
    expect(path).toBe('model.safetensors')
    expect([...file.subarray(start, end)]).toEqual([3, 3, 3])
  })

  test('reads shards, in the order of their names, and says which file it asks for', async () => {
    const asked: string[] = []
    const source = memorySource(sharded({ b: shardB, c: shardB, a: shardA }))
    const checkpoint = await openCheckpoint(source, { onFile: (path) => asked.push(path) })
    expect(checkpoint.files.map(({ path }) => path)).toEqual([shardA, shardB])
    expect([...checkpoint.tensors.values()].map(({ name, file }) => [name, file])).toEqual([
      ['a', shardA],
      ['b', shardB],
      ['c', shardB],
    ])
    expect(checkpoint.weightBytes).toBe(9)
    expect(asked).toEqual(['model.safetensors', 'model.safetensors.index.json', shardA, shardB])
  })

  test('reads headers only, also where they are longer than the first request', async () => {
    const many = Array.from({ length: 4000 }, (_, i) => tensor(`layers.${i}.a.rather.long.name`, 1))
    const big: TensorData = { name: 'big', dtype: 'U8', shape: [3_000_000], data: new Uint8Array(3_000_000) }
    const source = memorySource({ 'model.safetensors': safetensors(...many, tensor('z', 2)) })
    const checkpoint = await openCheckpoint(source)
    expect(checkpoint.tensors.size).toBe(4001)
    expect(source.requests).toHaveLength(2)
    expect(source.requests[1]!.start).toBe(source.requests[0]!.end)

    const bulky = memorySource({ 'model.safetensors': writeSafetensors([big]).reduce(concat) })
    await openCheckpoint(bulky)
    const fetched = bulky.requests.reduce((sum, { start, end }) => sum + end! - start, 0)
    expect(fetched).toBeLessThanOrEqual(128 * 1024)
  })

  test('prefers the single file, as the reference library does', async () => {
    const files = sharded({ a: shardA }, { 'model.safetensors': safetensors(tensor('whole', 1)) })
    const checkpoint = await openCheckpoint(memorySource(files))
    expect([...checkpoint.tensors.keys()]).toEqual(['whole'])
  })

  test.each<[string, Record<string, Uint8Array | string>, string]>([
    ['a missing shard', sharded({ a: shardA, z: 'model-9.safetensors' }), 'the file is missing'],
    [
      'a tensor in no shard',
      sharded({ a: shardA, b: shardB, zz: shardB }),
      'zz in model-00002-of-00002.safetensors',
    ],
    ['a tensor in another shard', sharded({ a: shardB, b: shardA }), `it is in ${shardA}`],
    [
      'a tensor in two shards',
      sharded({ a: shardA, b: shardB }, { [shardB]: safetensors(tensor('a', 2), tensor('b', 1)) }),
      'expected a in one file',
    ],
    ['a path upwards', sharded({ a: '../a.safetensors' }), 'inside the checkpoint'],
    ['a path upwards further in', sharded({ a: 'x/../../a.safetensors' }), 'inside the checkpoint'],
    ['an absolute path', sharded({ a: '/etc/a.safetensors' }), 'inside the checkpoint'],
    ['a URL', sharded({ a: 'https://evil.example/a.safetensors' }), 'inside the checkpoint'],
    ['a URL without scheme', sharded({ a: '//evil.example/a.safetensors' }), 'inside the checkpoint'],
    ['a backslash', sharded({ a: '..\\a.safetensors' }), 'inside the checkpoint'],
    ['a shard that is no string', sharded({ a: 1 }), 'expected a file name for a'],
    ['pickled shards', sharded({ a: 'pytorch_model.bin' }), 'named *.safetensors'],
    ['no tensors', sharded({}), 'got none'],
    ['an index that is no JSON', { 'model.safetensors.index.json': '<html>' }, 'expected JSON'],
    ['an index without weight_map', { 'model.safetensors.index.json': '{}' }, 'weight_map'],
    [
      'a total_size that is no number',
      { 'model.safetensors.index.json': '{"metadata":{"total_size":"1"},"weight_map":{}}' },
      'total_size',
    ],
    [
      'a malformed shard',
      sharded({ a: shardA }, { [shardA]: new Uint8Array(7) }),
      `memory: ${shardA}: expected`,
    ],
    ['a pickle that is no archive', { 'pytorch_model.bin': 'x' }, 'zip archive'],
    ['a pickled index without weight_map', { 'pytorch_model.bin.index.json': '{}' }, 'weight_map'],
    [
      'safetensors in a pickled index',
      { 'pytorch_model.bin.index.json': JSON.stringify({ weight_map: { a: 'a.safetensors' } }) },
      'named *.bin',
    ],
    ['no weights', { 'config.json': '{}' }, 'got none of these'],
  ])('refuses %s', async (_, files, message) => {
    const opening = openCheckpoint(memorySource(files))
    await expect(opening).rejects.toThrow(message)
    await expect(opening).rejects.toBeInstanceOf(CheckpointError)
  })

  test('is cancelled by its signal', async () => {
    const abort = new AbortController()
    const source = memorySource(sharded({ a: shardA, b: shardB }))
    const opening = openCheckpoint(source, {
      signal: abort.signal,
      onFile: (path) => path === shardA && abort.abort(),
    })
    await expect(opening).rejects.toBeInstanceOf(AbortError)
  })
})

test('an index may do without metadata', () => {
  const { shards, weightMap } = parseShardIndex(
    '{"weight_map":{"b":"y.safetensors","a":"x.safetensors"}}',
    'i',
  )
  expect(shards).toEqual(['x.safetensors', 'y.safetensors'])
  expect(weightMap.get('a')).toBe('x.safetensors')
})

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.byteLength + b.byteLength)
  both.set(a)
  both.set(b, a.byteLength)
  return both
}
