import { expect, test } from 'vitest'
import { filesSource } from '../checkpoint/files-source'
import { readEncoder } from './read-encoder'

const source = filesSource({
  name: 'tower',
  files: [
    { path: 'config.json', file: new File(['{}'], 'config.json') },
    { path: 'encoder.onnx', file: new File([Uint8Array.of(8, 7, 6)], 'encoder.onnx') },
    { path: 'encoder.onnx.data', file: new File([Uint8Array.of(1, 2)], 'encoder.onnx.data') },
  ],
})

test('an encoder is read with the files it refers to, and progress is told', async () => {
  const done: [string, number, number][] = []
  const file = await readEncoder(source, ['encoder.onnx', 'encoder.onnx.data'], {
    onProgress: ({ file, doneBytes, totalBytes }) => done.push([file, doneBytes, totalBytes]),
  })
  expect(file.name).toBe('tower: encoder.onnx')
  expect([...file.bytes]).toEqual([8, 7, 6])
  expect(file.externalData.map(({ path, bytes }) => [path, ...bytes])).toEqual([['encoder.onnx.data', 1, 2]])
  expect(done.at(0)).toEqual(['encoder.onnx', 0, 5])
  expect(done.at(-1)).toEqual(['encoder.onnx.data', 5, 5])
})

test('a missing encoder is named, and what stops a read stops it', async () => {
  await expect(readEncoder(source, ['vit.onnx'])).rejects.toThrow(
    'tower: the encoder vit.onnx was not found, which config.json names. Add it, or correct its name.',
  )
  await expect(readEncoder(source, ['encoder.onnx'], { signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: 'AbortError',
  })
})
