import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DiskSource } from '../../cli/disk-source'
import { Arena, Encoder, uploadTensor, type Gpu } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import { GoldenCase } from '../../worker/testing/golden'
import { openCheckpoint } from '../checkpoint/checkpoint'
import { parseConfigFile } from '../config-reader'
import { under, type WeightStore } from '../parameters'
import { storeFrom } from '../testing/store'
import { visionTowers } from './index'
import type { ConfiguredTower } from './definition'

/** Absolute, as the reference's README suggests for a float32 engine. */
const TOLERANCE = { atol: 5e-4, rtol: 0 }

describe.each([
  ['vision-clip', 'clip_vision_model'],
  ['vision-siglip', 'siglip_vision_model'],
] as const)('%s', (name, modelType) => {
  const golden = new GoldenCase(name)
  let gpu: Gpu
  let arena: Arena
  let tower: ConfiguredTower
  let weights: WeightStore

  beforeAll(async () => {
    gpu = await testGpu()
    arena = new Arena(gpu)
    const config = readFileSync(join(golden.checkpoint, 'config.json'), 'utf8')
    tower = (await visionTowers[modelType]()).configure(
      parseConfigFile(config, 'config.json'),
      'config.json:',
    )
    const { tensors } = await openCheckpoint(new DiskSource(golden.checkpoint))
    const prefix = 'vision_model.'
    const read = (key: string) => {
      const { file, start, end, dtype } = tensors.get(key)!
      expect(dtype).toBe('F32')
      const bytes = readFileSync(join(golden.checkpoint, file)).subarray(start, end)
      return new Float32Array(new Uint8Array(bytes).buffer)
    }
    weights = storeFrom(gpu, arena, under('vision', tower.params({ depth: tower.config.layers })), (param) =>
      read(prefix + param.slice('vision.'.length)),
    )
  })
  afterAll(() => weights.destroy())

  describe.each(golden.facts.pictures)('$image', ({ tensors }) => {
    const layers = Object.keys(tensors).filter((kind) => kind.startsWith('hidden_states.'))

    test.each(layers)('%s', async (kind) => {
      const depth = Number(kind.slice('hidden_states.'.length))
      const pixels = golden.tensor(tensors['pixel_values']!)
      const shape = pixels.shape.length === 3 ? [1, ...pixels.shape] : pixels.shape
      const input = uploadTensor(gpu, 'pixels', shape, pixels.data)
      const enc = new Encoder(gpu, arena, kind)
      const [hidden] = await tower.create(weights.at('vision'), { depth }).features(enc, input)
      const got = await enc.read(hidden!)
      enc.end()
      gpu.destroyBuffer(input.buffer)
      expect(got).toBeClose(golden.tensor(tensors[kind]!).data, TOLERANCE)
    })
  })

  test('has a case for every layer', () => {
    const kinds = Object.keys(golden.facts.pictures[0]!.tensors).filter((kind) =>
      kind.startsWith('hidden_states.'),
    )
    expect(kinds.length).toBe(tower.config.layers + 1)
  })
})
