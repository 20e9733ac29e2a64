import { describe, expect, test } from 'vitest'
import { Arena, Encoder, uploadTensor } from '../kernels'
import { testGpu } from '../kernels/testing/gpu'
import { seeded } from '../kernels/testing/numbers'
import type { JsonObject } from '../model/config-reader'
import { CheckpointError } from '../model/errors'
import type { OnnxEncoder, OnnxFile, OnnxRuntime } from '../model/onnx/runtime'
import { COARSE, FINE, fineConfig, SIDE, smallEncoder } from '../model/onnx/testing/small-encoder'
import { onnx } from '../model/vision/onnx'
import { openNodeOnnxRuntime } from './onnx-node'

const small = smallEncoder()
const unbounded = smallEncoder({ isOpen: true })
const WHERE = 'config.json:'

type OnRun = (shape: readonly number[]) => void

/** Tells the shape of what each encoder of a runtime is run on. */
const watched = (runtime: OnnxRuntime, onRun: OnRun): OnnxRuntime => ({
  async open(file, options) {
    const encoder = await runtime.open(file, options)
    const run: OnnxEncoder['run'] = async (inputs, outputs) => {
      onRun(Object.values(inputs)[0]!.shape)
      return encoder.run(inputs, outputs)
    }
    return { ...encoder, run }
  },
})

/** Opens a tower from its config.json. */
async function open(
  config: JsonObject,
  file: OnnxFile = small.file,
  { onNote, onRun = () => {} }: { onNote?: (note: string) => void; onRun?: OnRun } = {},
) {
  const tower = onnx.configure(config, WHERE)
  const gpu = await testGpu()
  const host = { gpu, onnx: watched(await openNodeOnnxRuntime(), onRun), ...(onNote && { onNote }) }
  return tower.external.open(file, { depth: tower.config.layers }, host)
}

/** Rows of every map for `batch` pictures. */
async function encode(config: JsonObject, file: OnnxFile = small.file, batch = 1, onRun: OnRun = () => {}) {
  const gpu = await testGpu()
  const { pixels } = seeded({ pixels: [batch, 3, SIDE, SIDE] }, 3)
  const arena = new Arena(gpu)
  const enc = new Encoder(gpu, arena, 'onnx')
  const input = uploadTensor(gpu, 'pixels', pixels.shape, pixels)
  const tower = await open(config, file, { onRun })
  try {
    const maps = await tower.features(enc, input)
    const values = []
    for (const map of maps) values.push({ shape: map.shape, values: await enc.read(map) })
    return { pixels, maps: values }
  } finally {
    enc.end()
    tower.destroy?.()
    gpu.destroyBuffer(input.buffer)
    arena.destroy()
    await gpu.check()
  }
}

const engines = ['cpu', 'webgpu'] as const
const layouts: [name: string, config: JsonObject][] = [
  ['planes', { ...fineConfig }],
  ['a map with channels last', { ...fineConfig, output: 'nhwc', output_layout: 'nhwc' }],
  ['a list of rows', { ...fineConfig, output: 'rows', output_layout: 'nlc' }],
]

describe.each(engines)('an ONNX encoder on the %s engine', (engine) => {
  test.each(layouts)('gives rows from %s', async (_, config) => {
    const { pixels, maps } = await encode({ ...config, engine })
    expect(maps.map(({ shape }) => shape)).toEqual([[16, 12]])
    expect(maps[0]!.values).toBeClose(small.rows(pixels).fine)
  })

  test('gives a pyramid, finest first', async () => {
    const { pixels, maps } = await encode({
      model_type: 'onnx',
      file: 'small.onnx',
      image_size: SIDE,
      engine,
      outputs: [
        { name: 'fine', layout: 'nchw', size: FINE.side, width: FINE.width },
        { name: 'coarse', layout: 'nchw', size: COARSE.side, width: COARSE.width },
      ],
    })
    const want = small.rows(pixels)
    expect(maps.map(({ shape }) => shape)).toEqual([
      [16, 12],
      [4, 8],
    ])
    expect(maps[0]!.values).toBeClose(want.fine)
    expect(maps[1]!.values).toBeClose(want.coarse)
  })

  test('keeps the class token first', async () => {
    const { pixels, maps } = await encode({
      ...fineConfig,
      engine,
      output: 'classed',
      output_layout: 'nlc',
      class_token: true,
    })
    const { fine } = small.rows(pixels)
    expect(maps[0]!.shape).toEqual([17, 12])
    expect(maps[0]!.values).toBeClose([...fine.subarray(5 * 12, 6 * 12), ...fine])
  })

  test('takes pictures one after another', async () => {
    const { pixels, maps } = await encode({ ...fineConfig, engine }, small.file, 2)
    const picture = 3 * SIDE * SIDE
    const want = [0, 1].flatMap((i) => [...small.rows(pixels.subarray(i * picture, (i + 1) * picture)).fine])
    expect(maps[0]!.shape).toEqual([32, 12])
    expect(maps[0]!.values).toBeClose(want)
  })

  test.each([
    ['at once', {}, Infinity, [2]],
    ['at once, channels last', { output: 'nhwc', output_layout: 'nhwc' }, Infinity, [2]],
    ['one by one where an output is one', { output: 'rows', output_layout: 'nlc' }, Infinity, [1, 1]],
    ['one by one where the engine fails on more', {}, 1, [2, 1, 1]],
  ])('takes pictures %s', async (_, changes, most, batches) => {
    const ran: (number | undefined)[] = []
    const onRun: OnRun = ([batch]) => {
      ran.push(batch)
      if (batch! > most) throw new CheckpointError('test: too many')
    }
    const { pixels, maps } = await encode({ ...fineConfig, ...changes, engine }, unbounded.file, 2, onRun)
    expect(ran).toEqual(batches)
    const picture = 3 * SIDE * SIDE
    const parts = [0, 1].map((i) => pixels.subarray(i * picture, (i + 1) * picture))
    expect(maps[0]!.shape).toEqual([32, 12])
    expect(maps[0]!.values).toBeClose(parts.flatMap((part) => [...unbounded.rows(part).fine]))
  })

  test('takes pixels in halves and gives rows from halves', async ({ skip }) => {
    const { caps } = await testGpu()
    if (engine === 'webgpu' && !caps.shaderF16) skip('this adapter has no shader-f16, which the engine needs')
    const half = smallEncoder({ element: 'f16' })
    const { pixels, maps } = await encode({ ...fineConfig, engine, output: 'half' }, half.file)
    expect(maps[0]!.values).toBeClose(half.rows(pixels).fine, 'f16')
  })
})

describe('an ONNX encoder', () => {
  test('runs on the CPU on a software adapter, and says so', async () => {
    const notes: string[] = []
    const tower = await open({ ...fineConfig }, small.file, { onNote: (note) => notes.push(note) })
    tower.destroy?.()
    expect(notes).toEqual([
      expect.stringContaining('test: small.onnx: runs on the CPU engine, because this adapter is software'),
    ])
  })
})

describe('an encoder that cannot serve', () => {
  const refused: [what: string, config: JsonObject, message: string, name: string][] = [
    ['has no such output', { output: 'finest' }, 'has no output "finest" but fine, coarse', 'ConfigError'],
    ['has several', { output: null }, 'has the outputs fine, coarse', 'ConfigError'],
    ['has no such input', { input: 'image' }, 'has no input "image" but pixels', 'ConfigError'],
    [
      'takes other pictures',
      { image_size: 64 },
      'should be [1, 3, 64, 64] by image_size but is [1, 3, 32, 32]',
      'ConfigError',
    ],
    [
      'gives another width',
      { hidden_size: 8 },
      'output fine should be [1, 8, 4, 4] by output of config.json but is [1, 12, 4, 4]',
      'ConfigError',
    ],
    [
      'gives integers',
      { output: 'whole' },
      'output whole should be float32 or float16 but is int32',
      'CheckpointError',
    ],
  ]
  test.each(refused)('%s', async (_, config, message, name) => {
    await expect(open({ ...fineConfig, ...config })).rejects.toMatchObject({
      name,
      message: expect.stringContaining(message),
    })
  })

  test('is no encoder, is cut short, misses its weights or has an unknown operator; the next one opens', async () => {
    const { bytes, externalData } = small.file
    const text = (content: string) => new TextEncoder().encode(content.padEnd(200))
    const with_ = (change: Partial<OnnxFile>) => open(fineConfig, { ...small.file, ...change })
    await expect(with_({ bytes: text('<!doctype html>') })).rejects.toThrow(
      'test: small.onnx: should be an ONNX model but begins with "<!doctype html> "',
    )
    await expect(with_({ bytes: text('version https://git-lfs.github.com/spec/v1') })).rejects.toThrow(
      'git lfs pull',
    )
    await expect(with_({ bytes: bytes.slice(0, 0) })).rejects.toThrow('is empty')
    await expect(with_({ bytes: bytes.slice(0, bytes.length / 2) })).rejects.toThrow(
      /ONNX Runtime failed opening it .* Download it again/,
    )
    await expect(with_({ externalData: [] })).rejects.toThrow(/name them in `external_data`/)
    await expect(with_(smallEncoder({ operator: 'Fold' }).file)).rejects.toThrow(
      /ONNX Runtime failed opening it .*Fold.* export it anew with standard operators/,
    )
    const tower = await with_({ externalData })
    tower.destroy?.()
  })

  test('is asked for a hidden state', async () => {
    const tower = onnx.configure(fineConfig, WHERE)
    const host = { gpu: await testGpu(), onnx: await openNodeOnnxRuntime() }
    await expect(tower.external.open(small.file, { depth: 0 }, host)).rejects.toThrow(
      'Select the last layer (-1)',
    )
  })
})

describe('onnxruntime-node', () => {
  test('names the package to install where it is missing', async () => {
    const missing = Object.assign(new Error("Cannot find package 'onnxruntime-node'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    await expect(openNodeOnnxRuntime(() => Promise.reject(missing))).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('it is not installed. Run: npm install onnxruntime-node'),
    })
  })
})
