import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseSafetensorsHeader } from '../../src/model/checkpoint/safetensors'
import { recordRow } from './record.mjs'
import { elements, FULL_SHAPE, tensorPlans } from './shapes.mjs'
import { halfBits, writeCheckpoint } from './write.mjs'

const TINY = {
  vision: { hidden: 16, layers: 2, heads: 2, mlp: 24, patch: 14, image: 42 },
  text: { hidden: 32, layers: 1, heads: 2, mlp: 48, vocab: 700, positions: 64, theta: 1e6 },
  firstSpecialId: 600,
}

test('the full shape has the parameters of the published model and its padded vocabulary', () => {
  const total = tensorPlans(FULL_SHAPE).reduce((sum, plan) => sum + elements(plan), 0)
  const padding = (152_000 - 151_936) * 1024
  expect(total - padding).toBe(863_965_728)
})

test('writes shards that a strict reader takes, with values of the spread asked for', () => {
  const folder = mkdtempSync(join(tmpdir(), 'full-shape-'))
  try {
    const { parameters } = writeCheckpoint(folder, TINY)
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
        // Exponents and fractions of normal numbers around 0.02: squares average to its square.
        const values = Array.from(halves, halfValue)
        const meanSquare = values.reduce((sum, value) => sum + value ** 2, 0) / values.length
        expect(Math.sqrt(meanSquare)).toBeCloseTo(0.02, 3)
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
  } finally {
    rmSync(folder, { recursive: true })
  }
})

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
  const folder = mkdtempSync(join(tmpdir(), 'full-shape-'))
  try {
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
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function halfValue(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 0x3ff
  const magnitude = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24
  return bits & 0x8000 ? -magnitude : magnitude
}
