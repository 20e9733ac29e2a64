import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { ropeChange, ropeFrequencies, type RopeScaling } from './rope-frequencies'
import { ropeRef } from './rope.ref'

describe('rope oracle', () => {
  test('its backward rotation agrees with central differences for a random cotangent', () => {
    const { x, dy } = seeded({ x: [3, 20], dy: [3, 20] })
    const numeric = finiteDifference((at) => ropeRef(at, [1, 0.3], [4, 5, 6], 10, 1.3), x, dy)
    expect(ropeRef(dy, [1, 0.3], [4, 5, 6], 10, 1.3, -1)).toBeClose(numeric, { rtol: 1e-7 })
  })
})

const base = { theta: 10_000, rotaryDim: 8, maxPositions: 2048 }
const scaled = (scaling: RopeScaling, length = 1, more: object = {}) =>
  ropeFrequencies({ ...base, ...more, scaling }, length)

describe('rope frequencies', () => {
  test('default: powers of theta', () => {
    const { frequencies, scale } = ropeFrequencies(base, 1)
    expect(frequencies).toBeClose([1, 0.1, 0.01, 0.001], { rtol: 1e-7 })
    expect(scale).toBe(1)
    expect(ropeFrequencies({ ...base, scaling: null }, 1).frequencies).toEqual(frequencies)
  })

  test('linear: divided by the factor', () => {
    expect(scaled({ type: 'linear', factor: 4 }).frequencies).toBeClose([0.25, 0.025, 0.0025, 0.00025])
  })

  test('dynamic: a larger theta past the trained length, none before', () => {
    expect(scaled({ rope_type: 'dynamic', factor: 2 }, 2048).frequencies).toEqual(
      ropeFrequencies(base, 1).frequencies,
    )
    // Twice the length: theta * (2 * 2 - 1)^(8/6), whose fourth root divides each step.
    const step = (10_000 * 3 ** (8 / 6)) ** -0.25
    expect(scaled({ rope_type: 'dynamic', factor: 2 }, 4096).frequencies).toBeClose([
      1,
      step,
      step ** 2,
      step ** 3,
    ])
  })

  test('llama3: short waves kept, long ones divided, a ramp between', () => {
    // Wavelengths 6.28, 62.8, 628, 6283 tokens against 64 / 4 = 16 and 64 / 1 = 64; smooth = (64 / 62.83 - 1) / 3.
    const smooth = (64 / (20 * Math.PI) - 1) / 3
    const { frequencies, scale } = scaled({
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    })
    const want = [1, (0.1 * (1 - smooth)) / 8 + 0.1 * smooth, 0.01 / 8, 0.001 / 8]
    for (const [i, value] of want.entries()) expect(frequencies[i]! / value).toBeCloseTo(1, 5)
    expect(scale).toBe(1)
  })

  test('longrope: short factors up to the original length, long ones beyond, one scale for both', () => {
    const scaling = {
      type: 'longrope',
      short_factor: [1, 1.05, 1.1, 1.15],
      long_factor: [1.1, 2, 3.316, 4.854],
    }
    const sizes = { maxPositions: 512, originalMaxPositions: 64 }
    const short = scaled(scaling, 64, sizes)
    const long = scaled(scaling, 65, sizes)
    expect(short.frequencies).toBeClose([1, 0.1 / 1.05, 0.01 / 1.1, 0.001 / 1.15], { rtol: 1e-7 })
    expect(long.frequencies).toBeClose([1 / 1.1, 0.05, 0.01 / 3.316, 0.001 / 4.854], { rtol: 1e-7 })
    // sqrt(1 + ln 8 / ln 64) = sqrt(1.5)
    expect(short.scale).toBeCloseTo(Math.sqrt(1.5), 12)
    expect(long.scale).toBe(short.scale)
    expect(scaled({ ...scaling, type: 'su' }, 65, sizes)).toEqual(long)
  })

  test('longrope: the scaling may name factor and attention factor itself', () => {
    const factors = { short_factor: [1, 1, 1, 1], long_factor: [2, 2, 2, 2] }
    const scaling = { rope_type: 'longrope', ...factors, original_max_position_embeddings: 64 }
    expect(scaled({ ...scaling, factor: 64 }).scale).toBeCloseTo(Math.SQRT2, 12)
    expect(scaled({ ...scaling, factor: 64, attention_factor: 1.25 }).scale).toBe(1.25)
    expect(scaled({ ...scaling, factor: 0.5 }).scale).toBe(1)
  })

  test('yarn: extrapolates fast pairs, interpolates slow ones, ramps between', () => {
    // Pairs that turn 32 and 1 times in 2048 tokens: 8 ln(2048 / 64 pi) / 2 ln 10000 = 1.008 -> 1 and 2.513 -> 3.
    const { frequencies, scale } = scaled({
      rope_type: 'yarn',
      factor: 4,
      original_max_position_embeddings: 2048,
    })
    const want = [1, 0.1, 0.01 * 0.5 + (0.01 / 4) * 0.5, 0.001 / 4]
    for (const [i, value] of want.entries()) expect(frequencies[i]! / value).toBeCloseTo(1, 5)
    expect(scale).toBeCloseTo(0.1 * Math.log(4) + 1, 12)
  })

  test('yarn: mscale and an attention factor of its own', () => {
    const yarn = { rope_type: 'yarn', factor: 40, original_max_position_embeddings: 2048 }
    const magnitude = (m: number) => 0.1 * m * Math.log(40) + 1
    expect(scaled({ ...yarn, mscale: 1, mscale_all_dim: 0.5 }).scale).toBeCloseTo(
      magnitude(1) / magnitude(0.5),
      12,
    )
    expect(scaled({ ...yarn, attention_factor: 2 }).scale).toBe(2)
  })

  test('tells which types depend on the length, and from where on', () => {
    const change = (scaling: RopeScaling | null, more: object = {}) =>
      ropeChange({ ...base, ...more, scaling })
    expect(change(null)).toBeUndefined()
    expect(change({ type: 'linear', factor: 2 })).toBeUndefined()
    expect(change({ rope_type: 'yarn', factor: 2 })).toBeUndefined()
    expect(change({ type: 'dynamic', factor: 2 })).toEqual({ beyond: 2048, kind: 'growth' })
    const longrope = { rope_type: 'longrope', original_max_position_embeddings: 64 }
    expect(change(longrope)).toEqual({ beyond: 64, kind: 'switch' })
    expect(change(longrope, { originalMaxPositions: 32 })).toEqual({ beyond: 32, kind: 'switch' })
    expect(change({ type: 'su' }, { originalMaxPositions: 32 })).toEqual({ beyond: 32, kind: 'switch' })
  })

  test('refuses what it does not know', () => {
    expect(() => scaled({ rope_type: 'mrope' })).toThrow(
      /rope_type should be one of default, linear, .* but is "mrope"/,
    )
    expect(() => scaled({ type: 'linear' })).toThrow('rope: linear scaling should have a number "factor"')
    expect(() => scaled({ rope_type: 'longrope', short_factor: [1] })).toThrow(
      'rope: short_factor should have 4 numbers but has 1',
    )
  })
})
