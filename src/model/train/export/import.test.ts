import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { DiskSource } from '../../../cli/disk-source'
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../../checkpoint/half'
import { writeSafetensors } from '../../checkpoint/safetensors-writer'
import { memorySource } from '../../checkpoint/testing/memory-source'
import { stateDictPickle, tensorPiece, torchFile } from '../../checkpoint/testing/torch-file'
import { streamTensors } from '../../checkpoint/stream-tensors'
import { AbortError, CheckpointError } from '../../errors'
import { mlpGelu } from '../../connector/mlp'
import { OriginalCase } from '../../testing/original'
import { exportConnector } from './export'
import { importConnector } from './import'
import { layoutsOf, type ConnectorShapes } from './layouts'
import { asPicked, connectorCases, log, randomTensors, run } from './testing/connectors'

type CaseName = keyof typeof connectorCases
type Tensors = ReturnType<typeof randomTensors>

/** Every tensor's bits as text, which is compared much faster than arrays are. */
const bits = (tensors: ReadonlyMap<string, Float32Array>) =>
  Object.fromEntries([...tensors].map(([name, data]) => [name, Buffer.from(bytesOf(data)).toString('hex')]))
const bitsOf = (tensors: Tensors) => bits(new Map([...tensors].map(([name, { data }]) => [name, data])))
const bytesOf = (array: ArrayBufferView) =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength)
const picked = (path: string, bytes: Uint8Array) => [
  { path, file: new File([bytes as Uint8Array<ArrayBuffer>], path.split('/').at(-1)!) },
]

/** A safetensors file of tensors under other names. */
function fileOf(tensors: Tensors, rename: (name: string) => string = (name) => name) {
  const named = [...tensors].map(([name, { shape, data }]) => ({
    name: rename(name),
    dtype: 'F32' as const,
    shape,
    data: bytesOf(data),
  }))
  return new Uint8Array(Buffer.concat(writeSafetensors(named)))
}

/** The same as torch.save writes it, in f16 as published projectors are. */
function binOf(tensors: Tensors, rename: (name: string) => string) {
  const all = [...tensors].map(([name, { shape, data }], i) => ({
    name: rename(name),
    shape,
    data,
    key: `${i}`,
  }))
  const pieces = all.map(({ name, shape, data, key }) => [
    name,
    tensorPiece({ storage: 'HalfStorage', numel: data.length, shape: [...shape], key }),
  ])
  const storages = all.map(({ key, data }) => [key, bytesOf(f32ToF16(data))])
  return torchFile(
    stateDictPickle(Object.fromEntries(pieces) as Parameters<typeof stateDictPickle>[0]),
    Object.fromEntries(storages) as Record<string, Uint8Array>,
  )
}

const toLlava = (name: string) =>
  name.replace(/^linear_(\d)/, (_, layer: string) => `mm_projector.${2 * (Number(layer) - 1)}`)
const halved = (tensors: Tensors) =>
  new Map([...tensors].map(([name, { data }]) => [name, f16ToF32(f32ToF16(data))]))

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(CheckpointError)
  return (error as Error).message
}

describe('what is exported is imported again', () => {
  test.each(Object.keys(connectorCases) as CaseName[])('%s, in every layout', async (name) => {
    const { specs, config } = await connectorCases[name]()
    const tensors = randomTensors(specs)
    const layouts = layoutsOf(config, specs)
    expect(layouts.length).toBeGreaterThan(0)
    for (const layout of layouts) {
      const files = exportConnector({ tensors, layout, run, log, modelConfig: config, versions: {} })
      const imported = await importConnector(asPicked(files), specs)
      expect(imported.layout).toBe(layout)
      expect(bits(imported.tensors)).toEqual(bitsOf(tensors))
      expect(imported.name).toBe(`my-connector/${files[0]!.path}`)
      // The weights alone, and from a folder that is no picked one.
      const [{ path, bytes }] = files as [(typeof files)[0]]
      const alone = await importConnector(picked('my (1).safetensors', bytes), specs)
      expect(alone).toMatchObject({ name: 'my (1).safetensors', layout })
      expect(bits(alone.tensors)).toEqual(bitsOf(tensors))
      const source = memorySource({ [path]: bytes }, { chunkBytes: [701, 4096] })
      expect(bits((await importConnector(source, specs)).tensors)).toEqual(bitsOf(tensors))
    }
  })
})

describe('original files', () => {
  test('mm_projector.bin of a LLaVA is what the model loads', async () => {
    const golden = new OriginalCase('llava-v1-linear')
    const opened = await golden.open()
    const specs = opened.blueprint.vision!.connector.params()
    const want = new Map<string, Float32Array>()
    const names = new Map([...opened.tensors].map(([name, entry]) => [entry, name]))
    await streamTensors(opened.checkpoints, {
      chunkBytes: (entry) =>
        names.get(entry)?.startsWith('connector.') ? entry.end - entry.start : undefined,
      write(entry, _, bytes) {
        expect(entry.dtype).toBe('BF16')
        const name = names.get(entry)!.slice('connector.'.length)
        want.set(name, bf16ToF32(new Uint16Array(bytes.slice().buffer)))
      },
    })
    expect([...want.keys()].sort()).toEqual(['linear_1.bias', 'linear_1.weight'])

    const path = `${golden.folder}checkpoint/mm_projector.bin`
    const file = await importConnector(picked('mm_projector.bin', readFileSync(path)), specs)
    expect(file).toMatchObject({ name: 'mm_projector.bin', layout: 'llava' })
    expect(bits(file.tensors)).toEqual(bits(want))
    const folder = await importConnector(new DiskSource(`${golden.folder}checkpoint`), specs)
    expect(bits(folder.tensors)).toEqual(bits(want))
  })

  test('connector/pytorch_model.bin of a TinyLLaVA Factory is read as it was saved', async () => {
    const specs = mlpGelu(2).params({ visionWidth: 72, textWidth: 84, activation: 'gelu', bias: true })
    const folder = '../../../../e2e/golden/original/tinyllava-factory/checkpoint'
    const disk = new DiskSource(new URL(folder, import.meta.url).pathname)
    const { name, layout, tensors } = await importConnector(disk, specs)
    expect([name, layout]).toEqual(['checkpoint/connector/pytorch_model.bin', 'tinyllava'])
    // As Python's zipfile and struct read it: the first value, the last one and the sum of all magnitudes.
    const sum = (values: Float32Array) => values.reduce((total, value) => total + Math.abs(value), 0)
    expect([...tensors].map(([key, values]) => [key, values[0], values.at(-1), sum(values)])).toEqual([
      ['linear_1.weight', -0.0164031982421875, 0.405029296875, 681.6900081634521],
      ['linear_1.bias', 0.1549072265625, 0.037353515625, 12.715627670288086],
      ['linear_2.weight', -0.0892333984375, 0.2427978515625, 743.6008185744286],
      ['linear_2.bias', 0.191650390625, -0.112060546875, 12.663785994052887],
    ])
  })

  test.each([
    ['llava-original', 'llava'],
    ['llava-clip-llama', 'hf'],
    ['cambrian-llama3', 'cambrian'],
  ] as const)('%s as a whole gives its connector alone', async (name, layout) => {
    const { specs } = await connectorCases[name]()
    const folder = name === 'llava-clip-llama' ? name : `original/${name}`
    const disk = new DiskSource(
      new URL(`../../../../e2e/golden/${folder}/checkpoint`, import.meta.url).pathname,
    )
    const imported = await importConnector(disk, specs)
    expect(imported.layout).toBe(layout)
    expect([...imported.tensors.keys()].sort()).toEqual(Object.keys(specs).sort())
    expect([...imported.tensors.values()].every((values) => values.some((value) => value !== 0))).toBe(true)
  })

  test.each([
    ['model.', toLlava, 'llava'],
    ['', toLlava, 'llava'],
    ['module.model.', toLlava, 'llava'],
    ['base_model.model.model.', toLlava, 'llava'],
    ['', (name: string) => toLlava(name).replace('mm_projector.', ''), 'llava'],
    ['multi_modal_projector.', (name: string) => name, 'hf'],
    ['model.multi_modal_projector.', (name: string) => name, 'hf'],
    ['', (name: string) => name, 'hf'],
    ['_connector.', (name: string) => toLlava(name).replace('mm_projector.', ''), 'tinyllava'],
    ['connector._connector.', (name: string) => toLlava(name).replace('mm_projector.', ''), 'tinyllava'],
  ] as const)('of torch.save with keys below "%s" are read', async (prefix, rename, layout) => {
    const { specs } = await connectorCases['llava-original']()
    const tensors = randomTensors(specs)
    const bin = binOf(tensors, (name) => prefix + rename(name))
    const imported = await importConnector(picked('projector.pt', bin), specs)
    expect(imported.layout).toBe(layout)
    expect(bits(imported.tensors)).toEqual(bits(halved(tensors)))
  })

  test('with other tensors are taken for the connector in them', async () => {
    const { specs } = await connectorCases['llava-original']()
    const tensors = randomTensors(specs)
    const other = { shape: [2, 2], data: new Float32Array(4) }
    const all: Tensors = new Map([
      ...[...tensors].map(([name, value]) => [`model.${toLlava(name)}`, value] as const),
      ['model.embed_tokens.weight', other],
      ['model.layers.0.mlp.up_proj.weight', other],
      ['model.vision_tower.vision_tower.0.weight', other],
      ['model.image_newline', { shape: [4], data: new Float32Array(4) }],
    ])
    const imported = await importConnector(picked('model.safetensors', fileOf(all)), specs)
    expect(bits(imported.tensors)).toEqual(bitsOf(tensors))
  })

  test('in bf16 and cut anywhere are widened', async () => {
    const { specs } = await connectorCases['llava-v1-linear']()
    const tensors = randomTensors(specs)
    const narrow = [...tensors].map(([name, { shape, data }]) => ({ name, shape, half: f32ToBf16(data) }))
    const file = Buffer.concat(
      writeSafetensors(
        narrow.map(({ name, shape, half }) => ({
          name: `model.${name.replace('linear_1', 'mm_projector')}`,
          dtype: 'BF16' as const,
          shape,
          data: bytesOf(half),
        })),
      ),
    )
    const source = memorySource({ 'mm_projector.safetensors': file }, { chunkBytes: [3] })
    const { tensors: got } = await importConnector(source, specs)
    for (const { name, half } of narrow) expect(f32ToBf16(got.get(name)!)).toEqual(half)
  })
})

describe('a connector of another model is refused at once', () => {
  const wide = (text: number, vision: number): ConnectorShapes =>
    mlpGelu(2).params({ visionWidth: vision, textWidth: text, activation: 'gelu', bias: true })

  test('with every shape, and the model it would fit', async () => {
    const { specs } = await connectorCases['llava-original']()
    const file = fileOf(randomTensors(specs), (name) => `model.${toLlava(name)}`)
    const message = await messageOf(importConnector(picked('mm_projector.safetensors', file), wide(128, 64)))
    expect(message).toBe(
      "mm_projector.safetensors: expected the 4 parameters of this model's connector, got 4 that do not match. " +
        '4 mis-shaped: model.mm_projector.0.bias: expected [128], found [96]; ' +
        'model.mm_projector.0.weight: expected [128, 64], found [96, 64]; ' +
        'model.mm_projector.2.bias: expected [128], found [96]; ' +
        'model.mm_projector.2.weight: expected [128, 128], found [96, 96]. ' +
        'They would fit a model with text width 96 (this model has 128): load that model first, or choose another connector',
    )
  })

  test('with what is missing, unexpected and mis-shaped together', async () => {
    const linear = await connectorCases['llava-v1-linear']()
    const file = fileOf(
      randomTensors((await connectorCases['cambrian-llama3']()).specs),
      (name) => `model.${name}`,
    )
    const message = await messageOf(importConnector(picked('mm_projector.safetensors', file), linear.specs))
    expect(message).toMatch(/\d+ unexpected: .*model\.mm_projector\.2\.bias \[80\]/)
    expect(message).toContain('They would fit a model with connector sva (this model has linear): load that')

    const sva = await connectorCases['cambrian-llama3']()
    const mlp = fileOf(randomTensors((await connectorCases['llava-original']()).specs))
    const other = await messageOf(importConnector(picked('a.safetensors', mlp), sva.specs))
    expect(other).toMatch(/\d+ missing: vision_query \[1, 48\]; image_newline \[80\]; .* and \d+ more/)
    expect(other).toContain('4 mis-shaped: linear_1.bias')
    expect(other).toContain('connector mlp2x_gelu (this model has sva), text width 96 (this model has 80)')
  })

  test('where a layer or a number of layers differs', async () => {
    const { specs } = await connectorCases['llava-original']()
    const three = mlpGelu(3).params({ visionWidth: 64, textWidth: 96, activation: 'gelu', bias: true })
    const file = fileOf(randomTensors(three), (name) => `model.${toLlava(name)}`)
    const message = await messageOf(importConnector(picked('mm_projector.safetensors', file), specs))
    expect(message).toContain(
      '2 unexpected: model.mm_projector.4.bias [96]; model.mm_projector.4.weight [96, 96]',
    )
    expect(message).toContain('connector mlp3x_gelu (this model has mlp2x_gelu)')

    const resampler: Tensors = new Map([['_connector.latents', { shape: [2], data: new Float32Array(2) }]])
    const other = await messageOf(
      importConnector(
        picked(
          'pytorch_model.bin',
          binOf(resampler, (n) => n),
        ),
        specs,
      ),
    )
    expect(other).toContain('4 missing: linear_1.weight [96, 64]')
    expect(other).toContain('1 unexpected: _connector.latents [2]')
  })

  test('where one parameter comes twice, or in a kind that is no float', async () => {
    const { specs } = await connectorCases['llava-v1-linear']()
    const one = randomTensors(specs)
    const both: Tensors = new Map([
      ...[...one].map(([name, value]) => [name.replace('linear_1', 'model.mm_projector'), value] as const),
      ...[...one].map(([name, value]) => [`multi_modal_projector.${name}`, value] as const),
    ])
    expect(await messageOf(importConnector(picked('model.safetensors', fileOf(both)), specs))).toContain(
      '2 given twice: linear_1.bias from model.mm_projector.bias and multi_modal_projector.linear_1.bias',
    )
    const ints = [...one].map(([name, { shape, data }]) => ({
      name: `multi_modal_projector.${name}`,
      dtype: 'I8' as const,
      shape,
      data: new Uint8Array(data.length),
    }))
    const file = Buffer.concat(writeSafetensors(ints))
    expect(await messageOf(importConnector(picked('model.safetensors', file), specs))).toContain(
      '2 not of F32, F16, BF16 or F64: multi_modal_projector.linear_1.bias: I8',
    )
  })
})

describe('files that hold no connector', () => {
  const specsOf = async () => (await connectorCases['llava-original']()).specs
  const good = async () => fileOf(randomTensors(await specsOf()), (name) => `model.${toLlava(name)}`)

  test('are named, whatever they hold', async () => {
    const specs = await specsOf()
    const other = fileOf(new Map([['lm_head.weight', { shape: [2], data: new Float32Array(2) }]]))
    expect(await messageOf(importConnector(picked('model.safetensors', other), specs))).toContain(
      'model.safetensors: expected a connector (mm_projector, multi_modal_projector, connector._connector or ' +
        'vision_sampler), got 1 tensors of other names: lm_head.weight',
    )
    expect(await messageOf(importConnector(picked('cat.png', other), specs))).toContain(
      'got cat.png; pick the file',
    )
    expect(await messageOf(importConnector([], specs))).toContain('got no file')
    expect(await messageOf(importConnector(memorySource({}), specs))).toContain('mm_projector.bin')
    expect(await messageOf(importConnector(picked('../mm_projector.bin', other), specs))).toContain('inside')
  })

  test('are refused when torn', async () => {
    const specs = await specsOf()
    const file = await good()
    for (const size of [0, 5, 100, file.length - 1]) {
      const torn = importConnector(picked('mm_projector.safetensors', file.slice(0, size)), specs)
      expect(await messageOf(torn)).toMatch(/^mm_projector\.safetensors|^import: mm_projector\.safetensors/)
    }
    const bin = readFileSync(`${new OriginalCase('llava-v1-linear').folder}checkpoint/mm_projector.bin`)
    for (const size of [0, 100, bin.length - 1]) {
      await messageOf(importConnector(picked('mm_projector.bin', bin.subarray(0, size)), specs))
    }
  })

  test('are refused when their numbers are none', async () => {
    const specs = await specsOf()
    const tensors = randomTensors(specs)
    tensors.get('linear_2.bias')!.data[3] = NaN
    expect(await messageOf(importConnector(picked('a.safetensors', fileOf(tensors)), specs))).toContain(
      'linear_2.bias: expected finite numbers, got NaN at 3',
    )
  })

  test('leave nothing to chance where there are two', async () => {
    const specs = await specsOf()
    const file = await good()
    const at = (...paths: string[]) => paths.flatMap((path) => picked(path, file))
    const two = at('a/mm_projector.safetensors', 'b/mm_projector.safetensors')
    expect(await messageOf(importConnector(two, specs))).toContain(
      'expected one connector, got a/mm_projector.safetensors, b/mm_projector.safetensors',
    )
    expect(await messageOf(importConnector(at('a.safetensors', 'b.safetensors'), specs))).toContain(
      'b.safetensors',
    )
    const nested = at('x/checkpoint-9/mm_projector.safetensors', 'x/mm_projector.safetensors', 'x/README.md')
    expect((await importConnector(nested, specs)).name).toBe('x/mm_projector.safetensors')
  })

  test('stop when asked to', async () => {
    const signal = AbortSignal.abort()
    const file = picked('mm_projector.safetensors', await good())
    await expect(importConnector(file, await specsOf(), { signal })).rejects.toThrow(AbortError)
  })
})
