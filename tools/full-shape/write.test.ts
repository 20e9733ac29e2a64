import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DiskSource } from '../../src/cli/disk-source'
import { openModel } from '../../src/model/checkpoint-files'
import { openCheckpoint } from '../../src/model/checkpoint/checkpoint'
import { parseSafetensorsHeader } from '../../src/model/checkpoint/safetensors'
import { Tokenizer } from '../../src/model/tokenizer'
import { cambrian, checkpointPlans, FULL_WIDTH } from './cambrian.mjs'
import { clip, convnext, dinov2, siglip } from './cambrian-towers.mjs'
import { FULL_SHAPE, llava, tensorPlans } from './llava.mjs'
import { recordRow, recordTable } from './record.mjs'
import { elements, halfBits, type TensorPlan } from './values.mjs'
import { writeModel } from './write.mjs'

const TINY = {
  vision: { hidden: 16, layers: 2, heads: 2, mlp: 24, patch: 14, image: 42 },
  text: { hidden: 32, layers: 1, heads: 2, mlp: 48, vocab: 700, positions: 64, theta: 1e6 },
  firstSpecialId: 600,
}

const TINY_CAMBRIAN = {
  text: { hidden: 32, layers: 2, heads: 2, mlp: 48, vocab: 400, positions: 256 },
  connector: { hidden: 32, depth: 2, grid: 4, samplers: 1 },
  siglip: { hidden: 16, layers: 2, heads: 2, mlpRatio: 3.7362, image: 56, side: 4 },
  clip: { hidden: 16, layers: 3, heads: 2, mlp: 24, image: 56, side: 4 },
  dinov2: { hidden: 16, layers: 2, heads: 2, trainedImage: 84, image: 56, side: 4 },
  convnext: { dims: [4, 8, 12, 16], depths: [2, 2, 2, 2], image: 64, side: 16 },
  firstSpecialId: 380,
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'full-shape-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const total = (plans: TensorPlan[]) => plans.reduce((sum, plan) => sum + elements(plan), 0)

describe('llava-interleave-qwen-0.5b', () => {
  test('has the parameters of the published model and its padded vocabulary', () => {
    const padding = (152_000 - 151_936) * 1024
    expect(total(tensorPlans(FULL_SHAPE)) - padding).toBe(863_965_728)
  })

  test('is shards that a strict reader takes, with values of the spread asked for', () => {
    const { parameters } = writeModel(folder, llava(TINY))
    const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8')) as {
      weight_map: Record<string, string>
    }
    const files = [...new Set(Object.values(index.weight_map))]
    expect(files).toEqual(['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'])
    const seen: string[] = []
    let count = 0
    for (const file of files) {
      const bytes = readFileSync(join(folder, file))
      for (const { name, start, end } of parseSafetensorsHeader(bytes, bytes.length, file).tensors) {
        seen.push(name)
        count += (end - start) / 2
        expect(index.weight_map[name]).toBe(file)
        if (!name.endsWith('embed_tokens.weight')) continue
        const halves = new Uint16Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end))
        expect(spread(Array.from(halves, halfValue))).toBeCloseTo(0.02, 3)
      }
    }
    expect(count).toBe(parameters)
    expect(seen.sort()).toEqual(
      tensorPlans(TINY)
        .map(({ name }) => name)
        .sort(),
    )
    const tokenizer = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')) as {
      added_tokens: { id: number; content: string }[]
      model: { vocab: Record<string, number> }
    }
    expect(tokenizer.added_tokens.at(-1)).toMatchObject({ id: 603, content: '<image>' })
    const ids = [...Object.values(tokenizer.model.vocab), ...tokenizer.added_tokens.map(({ id }) => id)]
    expect(new Set(ids).size).toBe(700)
  })
})

describe('cambrian-phi3-3b', () => {
  test('has the parameters of the published connector and towers where it has all their layers', () => {
    const { text, connector } = FULL_WIDTH
    const sizes = { text: { ...text, layers: 32 }, connector: { ...connector, samplers: 10 } }
    expect(total(checkpointPlans(sizes, [1152, 1024, 1536, 5760]))).toBe(4_094_477_312)
    expect(total(below('visual.trunk.', siglip({ ...FULL_WIDTH.siglip, layers: 27 }).plans))).toBe(
      428_225_600,
    )
    expect(total(below('vision_model.', clip({ ...FULL_WIDTH.clip, layers: 24 }).plans))).toBe(303_507_456)
    expect(total(dinov2({ ...FULL_WIDTH.dinov2, layers: 40 }).plans)).toBe(1_136_480_768)
    const trunk = below('visual.trunk.', convnext({ ...FULL_WIDTH.convnext, depths: [3, 4, 30, 3] }).plans)
    expect(total(trunk.filter(({ name }) => !name.includes('.head.')))).toBe(843_391_872)
  })

  test('is repositories that open as one model, its picture where config.json expects it', async () => {
    const repositories = cambrian(TINY_CAMBRIAN)
    writeModel(folder, repositories)
    const opened = await openModel(new DiskSource(join(folder, 'cambrian-phi3-3b')), {
      resolve: (repo) => new DiskSource(join(folder, 'repos', repo)),
    })
    const { vision, language } = opened.blueprint
    expect(language.config).toMatchObject({ hiddenSize: 32, layers: 2 })
    const towers = vision!.towers.map(({ tower: { config }, output, tokens }) => ({
      width: config.hiddenSize,
      depth: output.depth,
      tokens,
    }))
    expect(towers).toEqual([
      { width: 16, depth: 2, tokens: 16 },
      { width: 16, depth: 2, tokens: 16 },
      { width: 16, depth: 2, tokens: 16 },
      { width: 40, depth: 4, tokens: 256 },
    ])
    const { ids } = Tokenizer.from(opened).chat([{ role: 'user', text: 'What is this?', images: 1 }])
    expect(ids.indexOf(vision!.imageTokenId)).toBe(vision!.imagePosition)
  })

  test('pickles what it declares, with values of the spread asked for', async () => {
    const tower = cambrian(TINY_CAMBRIAN).find(({ weights }) => weights === 'open_clip_pytorch_model.bin')!
    writeModel(folder, [{ ...tower, folder: '.' }])
    const file = 'open_clip_pytorch_model.bin'
    const { tensors } = await openCheckpoint(new DiskSource(folder), { weightFiles: [file] })
    expect([...tensors.values()].map(({ name, shape }) => ({ name, shape }))).toEqual(
      tower.plans.map(({ name, shape }) => ({ name, shape })),
    )
    const bytes = readFileSync(join(folder, file))
    const { start, end } = tensors.get('visual.head.proj.weight')!
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end))
    expect(spread([...values])).toBeCloseTo(1 / Math.sqrt(16), 2)
  })
})

const below = (prefix: string, plans: TensorPlan[]) => plans.filter(({ name }) => name.startsWith(prefix))

/** Of values around 0. */
const spread = (values: number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)

test.each([
  [0, 0],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [1e6, 0x7c00],
  [2 ** -24, 1],
  [2 ** -14, 0x400],
  [1 + 2 ** -11, 0x3c01],
  [0.1, 0x2e66],
])('%f as a half is %i', (value, bits) => expect(halfBits(value)).toBe(bits))

test('a row replaces the one of the same first cells', () => {
  const file = join(folder, 'page.md')
  expect(() => recordRow(file, 'x', ['a', 'b'], ['1', '2'], 1)).toThrow('<!-- x -->')
  const page = 'before\n\n<!-- x -->\n<!-- /x -->\n\nafter\n'
  writeFileSync(file, page)
  recordRow(file, 'x', ['a', 'b'], ['1', '2'], 1)
  recordRow(file, 'x', ['a', 'b'], ['2', '2'], 1)
  recordRow(file, 'x', ['a', 'b'], ['1', '3'], 1)
  expect(readFileSync(file, 'utf8')).toBe(
    'before\n\n<!-- x -->\n\n| a   | b   |\n| --- | --- |\n| 2   | 2   |\n| 1   | 3   |\n\n<!-- /x -->\n\nafter\n',
  )
})

test('a table replaces all that stood in its place', () => {
  const file = join(folder, 'page.md')
  writeFileSync(file, 'before\n<!-- x -->\nold\n<!-- /x -->\nafter\n')
  recordTable(file, 'x', 'Today.', ['part', 's'], [['all', '1']])
  expect(readFileSync(file, 'utf8')).toBe(
    'before\n<!-- x -->\n\nToday.\n\n| part | s   |\n| ---- | --- |\n| all  | 1   |\n\n<!-- /x -->\nafter\n',
  )
  expect(() => recordTable(file, 'y', '', [], [])).toThrow('<!-- y -->')
})

function halfValue(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 0x3ff
  const magnitude = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24
  return bits & 0x8000 ? -magnitude : magnitude
}
