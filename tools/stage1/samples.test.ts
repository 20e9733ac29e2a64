import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { DiskSource } from '../../src/cli/disk-source'
import { bundledFolder } from '../../src/cli/model-source'
import { openModel } from '../../src/model/checkpoint-files'
import { parseSafetensorsHeader } from '../../src/model/checkpoint/safetensors'
import { Tokenizer } from '../../src/model/tokenizer'
import type { Sample } from '../../src/model/train/definition'

const root = new URL('../../', import.meta.url)
const recorded = <T>(file: string) =>
  JSON.parse(readFileSync(new URL(`e2e/stage1/${file}`, root), 'utf8')) as T
const EOS = 2

const files = new Map<string, Uint8Array>()
const rowsOf = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name))) as Sample[]

beforeAll(async () => {
  const zip = readFileSync(new URL('public/samples/stage-1.zip', root))
  expect(zip.length).toBeLessThan(1e6)
  const reader = new ZipReader(new Uint8ArrayReader(zip), { useWebWorkers: false })
  for (const entry of await reader.getEntries())
    if (!entry.directory)
      files.set(entry.filename, await entry.getData(new Uint8ArrayWriter(), { checkSignature: true }))
})

describe('the sample set of stage 1', () => {
  test('has a picture and a caption for each of its 200 + 64 rows, and says where they come from', () => {
    for (const [name, count] of [
      ['train.json', 200],
      ['heldout.json', 64],
    ] as const) {
      const rows = rowsOf(name)
      expect(rows).toHaveLength(count)
      for (const { image, conversations } of rows) {
        expect([...files.get(image!)!.subarray(1, 4)]).toEqual([...new TextEncoder().encode('PNG')])
        expect(conversations.map(({ from }) => from)).toEqual(['human', 'gpt'])
      }
    }
    expect(files.size).toBe(200 + 64 + 3)
    const readme = new TextDecoder().decode(files.get('README.txt'))
    for (const source of ['CIFAR-10', 'MNIST', 'drawn']) expect(readme).toContain(source)
  })
})

describe("PyTorch's run on it", () => {
  const run = recorded<{
    steps: { loss: number; lr: number; grad_norm: number }[]
    heldout: { id: string; before: number; after: number }[]
    heldout_mean: { before: number; after: number }
    caption_ids: Record<string, number[]>
  }>('loss-curve.json')

  test('takes every row once an epoch', () => {
    const order = recorded<number[][][]>('order.json')
    expect(order).toHaveLength(run.steps.length)
    for (let epoch = 0; epoch < 3; epoch++) {
      const rows = order.slice(epoch * 25, (epoch + 1) * 25).flat(2)
      expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, row) => row))
    }
  })

  test('has the losses of all held-out captions', () => {
    expect(run.heldout.map(({ id }) => id)).toEqual(rowsOf('heldout.json').map(({ id }) => id))
    for (const when of ['before', 'after'] as const) {
      const sum = run.heldout.reduce((total, row) => total + row[when], 0)
      expect(sum / run.heldout.length).toBeCloseTo(run.heldout_mean[when], 6)
    }
  })

  test("its captions are the bundled model's tokens", async () => {
    const folder = join(bundledFolder(), 'trilobite-nano-stage1')
    const tokenizer = Tokenizer.from(await openModel(new DiskSource(folder)))
    const rows = [...rowsOf('train.json'), ...rowsOf('heldout.json')]
    const bos = tokenizer.encode('')
    for (const { id, conversations } of rows) {
      const ids = tokenizer.encode(conversations[1]!.value).slice(bos.length)
      expect(run.caption_ids[id]).toEqual([...ids, EOS])
    }
  })

  test('ends with a projector of the right shapes, and captions of pictures of the set', () => {
    const bytes = readFileSync(new URL('e2e/stage1/projector-after.safetensors', root))
    const { tensors } = parseSafetensorsHeader(bytes, bytes.length, 'projector-after.safetensors')
    expect(Object.fromEntries(tensors.map(({ name, shape }) => [name, shape]))).toEqual({
      'multi_modal_projector.linear_1.weight': [192, 192],
      'multi_modal_projector.linear_1.bias': [192],
      'multi_modal_projector.linear_2.weight': [192, 192],
      'multi_modal_projector.linear_2.bias': [192],
    })
    const captions = recorded<{ image: string; ids: number[]; text: string }[]>('captions-after.json')
    expect(captions.map(({ image }) => `images/${image}`)).toEqual(
      rowsOf('heldout.json')
        .slice(0, 16)
        .map(({ image }) => image),
    )
    for (const { ids } of captions) expect(ids.at(-1)).toBe(EOS)
  })
})
