import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Arena, Encoder, ropeFrequencies, type Gpu, type RopeConfig } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import { RopeTable } from './rope-config'

const base = { theta: 10000, rotaryDim: 8, maxPositions: 64 }
const configs: Record<string, RopeConfig> = {
  default: base,
  dynamic: { ...base, scaling: { rope_type: 'dynamic', factor: 2 } },
  longrope: {
    ...base,
    originalMaxPositions: 64,
    scaling: { rope_type: 'longrope', short_factor: [1, 1.1, 1.2, 1.3], long_factor: [1, 2, 3, 4] },
  },
}

describe.each(Object.keys(configs))('rope table, %s', (name) => {
  const config = configs[name]!
  let gpu: Gpu
  let arena: Arena
  let table: RopeTable
  beforeAll(async () => {
    gpu = await testGpu()
    arena = new Arena(gpu)
    table = new RopeTable(config)
  })
  afterAll(() => {
    table.destroy(gpu)
    arena.destroy()
  })

  test('holds the frequencies of every length, whatever was asked for before', async () => {
    // What is only collected is never written.
    Encoder.collect(gpu, arena, (enc) => void table.at(enc, 100))
    const enc = new Encoder(gpu, arena, 'rope table')
    for (const length of [100, 1, 64, 65, 66, 130, 64, 65]) {
      const want = ropeFrequencies(config, length)
      const { frequencies, scale } = table.at(enc, length)
      expect(await enc.read(frequencies)).toEqual(want.frequencies)
      expect(scale).toBe(want.scale)
    }
    enc.end()
  })

  test('keeps what was recorded before the length grew', async () => {
    const enc = new Encoder(gpu, arena, 'rope table')
    const kept = [65, 66, 67].map((length) => {
      const { frequencies } = table.at(enc, length)
      const copy = enc.temp(frequencies.shape)
      enc.copy(frequencies, copy)
      return { copy, want: ropeFrequencies(config, length).frequencies }
    })
    for (const { copy, want } of kept) expect(await enc.read(copy)).toEqual(want)
    enc.end()
  })
})
