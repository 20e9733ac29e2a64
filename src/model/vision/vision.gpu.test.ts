import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Arena, type Gpu } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import { GoldenCase } from '../../worker/testing/golden'
import type { WeightStore } from '../parameters'
import { loadTower, readJson, runTower, type Recorded } from '../testing/tower'
import { configureHfTower } from './hf-tower'
import type { TowerOutput } from './definition'
import type { TowerRepository } from './tower-repository'

/** Absolute, as the reference's README suggests for a float32 engine. */
const TOLERANCE = { atol: 5e-4, rtol: 0 }

/** What a picture's recorded tensors are, and the output that gives them. */
type Kind = [name: string, output: TowerOutput]

describe.each([
  ['vision-clip', 'clip_vision_model', false],
  ['vision-siglip', 'siglip_vision_model', true],
  ['vision-dinov2', 'dinov2', true],
  ['vision-dinov2-swiglu', 'dinov2', true],
] as const)('%s', (name, modelType, isNormedLast) => {
  const golden = new GoldenCase(name)
  const { layers, found, whole, weights, gpu, arena } = setUp(golden)

  test('is found by its type', () => {
    expect(found().towerType).toBe(modelType)
  })

  describe.each(golden.facts.pictures)('$image', ({ tensors }) => {
    const kinds: Kind[] = Object.keys(tensors)
      .filter((kind) => kind.startsWith('hidden_states.'))
      .map((kind) => [kind, { depth: Number(kind.slice('hidden_states.'.length)) }])
    kinds.push(['last_hidden_state', { depth: kinds.length - 1, finalNorm: isNormedLast }])

    test.each(kinds)('%s', async (kind, output) => {
      const tower = found().tower.create(weights().at('vision'), output)
      const [got] = await runTower(gpu(), arena(), tower, golden.tensor(tensors['pixel_values']!))
      expect(got).toBeClose(golden.tensor(tensors[kind]!).data, TOLERANCE)
    })
  })

  test('has a case for every layer', () => {
    const kinds = Object.keys(golden.facts.pictures[0]!.tensors).filter((kind) =>
      kind.startsWith('hidden_states.'),
    )
    expect(kinds.length).toBe(layers() + 1)
  })

  test('loads no more than its output needs', () => {
    const { tower, rename } = found()
    const first = { depth: 1 }
    const kept = Object.keys(tower.params(whole())).filter((key) => rename(key, first) !== undefined)
    expect(kept.sort()).toEqual(Object.keys(tower.params(first)).sort())
    expect(kept.length).toBeLessThan(Object.keys(tower.params(whole())).length)
  })
})

describe('vision-clip', () => {
  const golden = new GoldenCase('vision-clip')
  const { found, whole, weights, gpu, arena } = setUp(golden)

  test.each(golden.facts.pictures)('$image: the final norm makes the pooled row', async ({ tensors }) => {
    const tower = found().tower.create(weights().at('vision'), whole())
    const [rows] = await runTower(gpu(), arena(), tower, golden.tensor(tensors['pixel_values']!))
    const pooled = golden.tensor(tensors['pooler_output']!).data
    expect(rows!.subarray(0, pooled.length)).toBeClose(pooled, TOLERANCE)
  })
})

describe('vision-convnext', () => {
  const golden = new GoldenCase('vision-convnext')
  const { found, whole, weights, gpu, arena } = setUp(golden)

  test.each(golden.facts.pictures)('$image: all stages', async ({ tensors }) => {
    const { tower } = found()
    const created = tower.create(weights().at('vision'), whole())
    const maps = await runTower(gpu(), arena(), created, golden.tensor(tensors['pixel_values']!))
    expect(maps).toHaveLength(4)
    for (const [i, map] of maps.entries()) {
      const want = golden.tensor(tensors[`hidden_states.${i + 1}`]!)
      const [, width, side] = want.shape
      expect(tower.config.maps![i]).toEqual({ side, width })
      expect(map).toBeClose(channelsLast(want), TOLERANCE)
    }
  })
})

/** [1, C, H, W] -> [H*W, C] */
function channelsLast({ shape, data }: Recorded): Float32Array {
  const [, C, H, W] = shape as [number, number, number, number]
  return Float32Array.from({ length: data.length }, (_, i) => data[(i % C) * H * W + Math.floor(i / C)]!)
}

/** Opens a case's tower before its tests. The getters serve inside tests. */
function setUp(golden: GoldenCase) {
  let gpu: Gpu
  let arena: Arena
  let found: TowerRepository
  let weights: WeightStore
  const whole = () => ({ depth: found.tower.config.layers, finalNorm: true })
  beforeAll(async () => {
    gpu = await testGpu()
    arena = new Arena(gpu)
    found = await configureHfTower(readJson(golden.checkpoint, 'config.json'), `${golden.name}:`)
    weights = await loadTower(gpu, arena, golden.checkpoint, found, whole())
  })
  afterAll(() => {
    weights?.destroy()
    arena?.destroy()
  })
  return {
    gpu: () => gpu,
    arena: () => arena,
    found: () => found,
    weights: () => weights,
    whole,
    layers: () => found.tower.config.layers,
  }
}
