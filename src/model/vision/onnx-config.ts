import { ConfigReader, type Json, type JsonObject } from '../config-reader'
import { checkPath } from '../checkpoint/source'
import type { EngineChoice } from '../onnx/open-encoder'
import type { TowerInput, VisionTowerConfig } from './definition'

/** How an output lies: planes of channels, a map with channels last, or a list of rows. */
export type OnnxLayout = 'nchw' | 'nhwc' | 'nlc'

/** One output of an encoder: a square map of `side` times `side` rows. */
export interface OnnxMap {
  /** The encoder's only output where undefined. */
  readonly name: string | undefined
  readonly layout: OnnxLayout
  readonly side: number
  readonly width: number
  /** Where it stands in config.json, for messages. */
  readonly field: string
}

export interface OnnxTowerConfig {
  readonly file: string
  readonly externalData: readonly string[]
  readonly engine: EngineChoice
  readonly input: string | undefined
  readonly imageSize: number
  readonly layers: number
  /** Finest first. */
  readonly maps: readonly OnnxMap[]
  readonly hasClsToken: boolean
  /** What the model is told of it. */
  readonly tower: VisionTowerConfig
}

const LAYOUTS = { nchw: 'nchw', nhwc: 'nhwc', nlc: 'nlc' } as const
const ENGINES = { auto: 'auto', webgpu: 'webgpu', cpu: 'cpu' } as const

const OF_AN_OUTPUT = ['output', 'output_layout', 'output_size'] as const
const FIELDS: readonly string[] = [
  ...['model_type', 'file', 'external_data', 'engine', 'input', 'image_size', 'hidden_size', 'class_token'],
  ...OF_AN_OUTPUT,
  'outputs',
]
const MAP_FIELDS: readonly string[] = ['name', 'layout', 'size', 'width']

/**
 * Reads the config.json of an ONNX encoder:
 *
 *   {"model_type": "onnx", "file": "encoder.onnx", "image_size": 1024,
 *    "output": "image_embed", "output_layout": "nchw", "output_size": 64, "hidden_size": 256}
 *
 * or, for a pyramid, whose maps are resized to the finest one's grid and joined,
 *
 *   "outputs": [{"name": "fine", "layout": "nchw", "size": 256, "width": 32}, ...]
 *
 * `output` may be left out where there is one. Optional: `input`, `external_data` (names of weight files), `class_token`
 * (true where row 0 of an `nlc` output is one) and `engine` (`auto`, `webgpu`, `cpu`).
 *
 * Throws: ConfigError naming the field, also for one that is not known.
 */
export function parseOnnxConfig(json: JsonObject, where: string, input: TowerInput = {}): OnnxTowerConfig {
  const reader = new ConfigReader(json, where, { engine: 'auto', class_token: false })
  expectKnown(reader, json, FIELDS)
  const imageSize = reader.size('image_size')
  if (input.imageSize !== undefined && input.imageSize !== imageSize) {
    reader.fail('image_size', `${input.imageSize}, as the model asks for`, imageSize)
  }
  const hasClsToken = reader.bool('class_token')
  const maps = json['outputs'] === undefined ? [onlyMap(reader)] : pyramid(reader, json)
  if (hasClsToken && (maps.length > 1 || maps[0]!.layout !== 'nlc')) {
    reader.fail('class_token', 'false unless there is one output with the layout nlc', true)
  }
  const hiddenSize = maps.reduce((sum, { width }) => sum + width, 0)
  if (reader.has('hidden_size') && reader.size('hidden_size') !== hiddenSize) {
    reader.fail('hidden_size', `${hiddenSize}, the outputs' widths together`, reader.size('hidden_size'))
  }
  const path = (name: string, value: string) => checkPath(value, `${where} ${name}`)
  const [finest] = maps as [OnnxMap]
  const layers = 1
  return {
    file: path('file', reader.string('file')),
    externalData: strings(reader, 'external_data').map((value) => path('external_data', value)),
    engine: reader.oneOf('engine', ENGINES),
    input: reader.has('input') ? reader.string('input') : undefined,
    imageSize,
    layers,
    maps,
    hasClsToken,
    tower: {
      imageSize,
      hiddenSize,
      layers,
      patchTokens: finest.side * finest.side,
      hasClsToken,
      ...(maps.length > 1 && { maps: maps.map(({ side, width }) => ({ side, width })) }),
    },
  }
}

function onlyMap(reader: ConfigReader): OnnxMap {
  return {
    name: reader.has('output') ? reader.string('output') : undefined,
    layout: reader.oneOf('output_layout', LAYOUTS),
    side: reader.size('output_size'),
    width: reader.size('hidden_size'),
    field: 'output',
  }
}

function pyramid(reader: ConfigReader, json: JsonObject): OnnxMap[] {
  const given = json['outputs']
  if (!Array.isArray(given) || given.length < 2) {
    return reader.fail('outputs', 'a list of two or more objects (one goes into `output`)', given)
  }
  for (const field of OF_AN_OUTPUT) {
    if (reader.has(field)) reader.fail(field, 'left out where `outputs` is given', reader.raw(field))
  }
  const maps = given.map((item: Json, i): OnnxMap => {
    const field = `outputs[${i}]`
    if (item === null || typeof item !== 'object' || Array.isArray(item)) {
      return reader.fail(field, 'an object', item)
    }
    const map = new ConfigReader(item, `${reader.where} ${field}`)
    expectKnown(map, item, MAP_FIELDS)
    return {
      name: map.string('name'),
      layout: map.oneOf('layout', LAYOUTS),
      side: map.size('size'),
      width: map.size('width'),
      field,
    }
  })
  for (const [i, { side, name }] of maps.entries()) {
    if (i > 0 && side > maps[i - 1]!.side) {
      reader.fail(`outputs[${i}].size`, `at most ${maps[i - 1]!.side}: finest first`, side)
    }
    if (maps.findIndex((other) => other.name === name) !== i) {
      reader.fail(`outputs[${i}].name`, 'another output than those before', name ?? null)
    }
  }
  return maps
}

function strings(reader: ConfigReader, name: string): string[] {
  const value = reader.raw(name) ?? []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  return reader.fail(name, 'a list of file names', value)
}

/** A mistyped field would otherwise be passed over in silence. */
function expectKnown(reader: ConfigReader, json: JsonObject, known: readonly string[]): void {
  for (const name of Object.keys(json)) {
    if (!known.includes(name)) reader.fail(name, `one of the known fields ${known.join(', ')}`, json[name])
  }
}
