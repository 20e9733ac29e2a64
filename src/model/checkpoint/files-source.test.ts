import { describe, expect, test } from 'vitest'
import { AbortError, CheckpointError, NetworkError } from '../errors'
import { openCheckpoint } from './checkpoint'
import { filesSource } from './files-source'
import { writeSafetensors } from './safetensors-writer'

function picked(contents: Record<string, BlobPart>): { path: string; file: File }[] {
  return Object.entries(contents).map(([path, part]) => ({
    path,
    file: new File([part], path.split('/').at(-1)!),
  }))
}

function source(contents: Record<string, BlobPart>) {
  return filesSource({ name: 'my model', files: picked(contents) })
}

describe('filesSource', () => {
  test.each([
    ['as they are', '', ''],
    ['below the picked folder', 'llava/', ''],
    ['below several folders', 'models/owner/llava/', ''],
    ['with leading slash and dots', '/./llava//', ''],
    ['with backslashes', 'models\\llava\\', ''],
  ])('finds files %s', async (_, prefix) => {
    const files = source({ [`${prefix}config.json`]: '{}', [`${prefix}sub/a.bin`]: 'abcdef' })
    expect(await files.readText('config.json')).toBe('{}')
    expect(await files.sizeOf('sub/a.bin')).toBe(6)
    const chunks: Uint8Array[] = []
    for await (const chunk of await files.stream('sub/a.bin', { start: 1, end: 4 })) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('bcd')
  })

  test('a single picked file keeps its name', async () => {
    expect(await source({ 'llava/config.json': '{}' }).readText('config.json')).toBe('{}')
  })

  test('knows missing files', async () => {
    const files = source({ 'config.json': '{}' })
    expect(await files.sizeOf('x')).toBeUndefined()
    expect(await files.readText('x')).toBeUndefined()
    await expect(files.stream('x')).rejects.toBeInstanceOf(NetworkError)
  })

  test.each<[string, Record<string, BlobPart>, string]>([
    ['no files', {}, 'got no files; pick the folder that holds config.json'],
    ['no config.json', { 'a/x.safetensors': '', 'a/y.txt': '' }, 'got x.safetensors, y.txt; pick'],
    ['config.json deeper in', { 'a/readme.md': '', 'a/b/config.json': '' }, 'pick the folder b alone'],
    ['a file twice', { 'config.json': '', './config.json': '' }, 'config.json twice'],
    ['a path upwards', { 'config.json': '', 'a/../../x': '' }, 'inside the checkpoint'],
  ])('refuses %s', (_, contents, message) => {
    expect(() => source(contents)).toThrow(CheckpointError)
    expect(() => source(contents)).toThrow(message)
  })

  test('refuses texts that are too large or no texts', async () => {
    const files = source({ 'config.json': '{"a":1}', 'b.json': new Uint8Array([0xff]) })
    await expect(files.readText('config.json', { maxBytes: 6 })).rejects.toThrow('at most 6 bytes, got 7')
    await expect(files.readText('b.json')).rejects.toThrow('UTF-8')
  })

  test('is cancelled by its signal', async () => {
    const files = source({ 'config.json': '{}' })
    const signal = AbortSignal.abort()
    await expect(files.readText('config.json', { signal })).rejects.toBeInstanceOf(AbortError)
    await expect(files.stream('config.json', { signal })).rejects.toBeInstanceOf(AbortError)
  })

  test('opens as a checkpoint', async () => {
    const data = new Uint8Array([1, 2, 3])
    const weights = Buffer.concat(writeSafetensors([{ name: 'a', dtype: 'U8', shape: [3], data }]))
    const files = source({ 'm/config.json': '{}', 'm/model.safetensors': new Uint8Array(weights) })
    expect((await openCheckpoint(files)).tensors.get('a')!.shape).toEqual([3])
  })
})
