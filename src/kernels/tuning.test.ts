import { describe, expect, test } from 'vitest'
import { tileForm, usualForm } from './matmul/tile-form'
import { productClass, readTuning, tileForms, TUNING_VERSION, UNTUNED, type Tuning } from './tuning'
import type { Encoder } from './gpu/encoder'

const caps = { maxWorkgroupBytes: 32 * 1024, packedDot: true }
const tuning: Tuning = {
  version: TUNING_VERSION,
  products: { 'q8 some': 'packed', 'f16 few': 'rows4', 'f16 some': 'rows8', 'f32 many': 'rows8' },
}

describe('a tuning read back', () => {
  test('is what was kept', () => {
    expect(readTuning(JSON.parse(JSON.stringify(tuning)), caps)).toEqual(tuning)
    expect(readTuning(JSON.parse(JSON.stringify(UNTUNED)), caps)).toEqual(UNTUNED)
  })

  test.each([
    undefined,
    null,
    'x',
    [],
    {},
    { ...tuning, version: TUNING_VERSION - 1 },
    { ...tuning, products: 3 },
  ])('is nothing if it is %j', (value) => expect(readTuning(value, caps)).toBeUndefined())

  test('holds no form that the device cannot run, and nothing unknown', () => {
    expect(readTuning(tuning, { ...caps, packedDot: false })!.products).not.toHaveProperty('q8 some')
    expect(readTuning(tuning, { ...caps, maxWorkgroupBytes: 16384 })!.products).toEqual({
      'q8 some': 'packed',
      'f16 few': 'rows4',
    })
    const odd = { ...tuning, products: { 'f32 some': 'packed', 'q8 few': 'toString', 'q9 few': 'rows2' } }
    expect(readTuning(odd, caps)!.products).toEqual({})
  })
})

test('bytes are for quantised weights alone, the widest tile for devices that hold it', () => {
  expect(tileForms(caps, 'q4')).toEqual(['rows2', 'rows4', 'rows8', 'packed'])
  expect(tileForms(caps, 'f16')).toEqual(['rows2', 'rows4', 'rows8'])
  expect(tileForms({ maxWorkgroupBytes: 16384, packedDot: false }, 'q8')).toEqual(['rows2', 'rows4'])
})

test('products are told apart by rows, outputs and dtype', () => {
  expect(productClass(32, 1e6, 'bf16')).toBe('f16 few')
  expect(productClass(33, 2048, 'q4')).toBe('q4 some')
  expect(productClass(512, 2047, 'f32')).toBe('f32 some')
  expect(productClass(512, 2048, 'f32')).toBe('f32 many')
})

describe('the form of a product', () => {
  const form = (M: number, N: number, dtype: 'f16' | 'q8' | 'f32', isExact = false) =>
    tileForm({ gpu: { caps, tuning }, isExact } as unknown as Encoder, M, N, dtype)

  test('is the measured one', () => {
    expect(form(100, 2048, 'f16')).toBe('rows8')
    expect(form(100, 2048, 'q8')).toBe('packed')
    expect(form(64, 1e5, 'f32')).toBe('rows4')
  })

  test('halves tiles that would be half empty', () => {
    expect(form(65, 2048, 'f16')).toBe('rows8')
    expect(form(64, 2048, 'f16')).toBe('rows4')
    expect(form(32, 2048, 'f16')).toBe('rows2')
  })

  test('is the usual one where nothing was measured, and where inputs must not be rounded', () => {
    expect(form(10, 64, 'q8')).toBe('rows2')
    expect(form(40, 64, 'f32')).toBe('rows4')
    expect(form(100, 2048, 'q8', true)).toBe(usualForm(caps, 100, 2048))
    expect(usualForm(caps, 1030, 1870)).toBe('rows8')
    expect(usualForm({ maxWorkgroupBytes: 16384 }, 1030, 1870)).toBe('rows4')
  })
})
