import { expect, test } from 'vitest'
import type { OpenedModel } from './checkpoint-files'
import type { StreamProgress } from './checkpoint/progress'
import type { CheckpointSource } from './checkpoint/source'
import { memorySource } from './checkpoint/testing/memory-source'
import { memoryStore } from './checkpoint/testing/memory-store'
import { readEncoder } from './onnx/read-encoder'
import { FileKeeper } from './file-keeper'

const bytes = Uint8Array.from({ length: 40 }, (_, i) => i)

/** A model whose one tower is an encoder of two files at an address. */
function encoderModel() {
  const source = Object.assign(memorySource({ 'vit.onnx': bytes, 'vit.onnx.data': bytes }), {
    address: 'https://example.org/vit/',
  })
  const files = ['vit.onnx', 'vit.onnx.data'].map((path) => ({ path, sizeBytes: bytes.length }))
  const checkpoints: OpenedModel['checkpoints'] = []
  const opened = { checkpoints, externals: new Map([[1, { source, files }]]) }
  return { opened: opened as Partial<OpenedModel> as OpenedModel, source }
}

async function read(keeper: FileKeeper, opened: OpenedModel) {
  const told: StreamProgress[] = []
  const file = await keeper.keep(
    opened,
    { onProgress: (progress) => told.push(progress) },
    ({ externals }, onProgress) => {
      const { source, files }: { source: CheckpointSource; files: readonly { path: string }[] } =
        externals.get(1)!
      const paths = files.map(({ path }) => path)
      return readEncoder(source, paths, { ...(onProgress && { onProgress }) })
    },
  )
  expect(file.bytes).toEqual(bytes)
  expect(file.externalData[0]!.bytes).toEqual(bytes)
  return told
}

test('the files of an encoder are read once, and progress tells from the first where they come from', async () => {
  const { opened, source } = encoderModel()
  const store = memoryStore()
  const notes: string[] = []
  const keeper = new FileKeeper(
    async () => store,
    (note) => notes.push(note),
  )
  const first = await read(keeper, opened)
  expect(new Set(first.map(({ cached }) => cached))).toEqual(new Set([false]))
  expect(first[0]).toMatchObject({ file: 'vit.onnx', doneBytes: 0, totalBytes: 80 })
  expect(first.at(-1)).toMatchObject({ file: 'vit.onnx.data', doneBytes: 80 })
  expect(source.requests).toHaveLength(2)

  const second = await read(keeper, opened)
  expect(second.map(({ cached, file }) => ({ cached, file }))).toContainEqual({
    cached: true,
    file: 'vit.onnx',
  })
  expect(new Set(second.map(({ cached }) => cached))).toEqual(new Set([true]))
  expect(source.requests).toHaveLength(2)

  // One of the two is lost: the whole was not kept.
  store.kept.delete([...store.kept.keys()][1]!)
  expect((await read(keeper, opened)).at(-1)).toMatchObject({ cached: false, doneBytes: 80 })
  expect(source.requests).toHaveLength(3)
  expect(notes).toEqual([])
})

test('a browser that keeps no files is told of once, and asked once', async () => {
  const { opened, source } = encoderModel()
  const notes: string[] = []
  let opens = 0
  const refuse = async () => {
    opens++
    throw new Error('no files in private mode')
  }
  const keeper = new FileKeeper(refuse, (note) => notes.push(note))
  for (const requests of [2, 4]) {
    expect((await read(keeper, opened)).at(-1)!.doneBytes).toBe(80)
    expect(source.requests).toHaveLength(requests)
  }
  expect(notes).toEqual([
    'Files of this model could not be kept on this device (no files in private mode). ' +
      'They are downloaded again whenever they are needed.',
  ])
  expect(opens).toBe(1)
})
