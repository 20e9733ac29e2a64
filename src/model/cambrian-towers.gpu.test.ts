import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Arena, type Gpu } from '../kernels'
import { testGpu } from '../kernels/testing/gpu'
import type { TowerBlueprint } from './family/definition'
import type { WeightStore } from './parameters'
import { OriginalCase } from './testing/original'
import { loadTower, readJson, runTower } from './testing/tower'
import { selectFeatures } from './towers'
import type { TowerInput, TowerOutput } from './vision/definition'
import { configureHfTower } from './vision/hf-tower'
import { configureOpenClip } from './vision/open-clip'
import type { TowerRepository } from './vision/tower-repository'

/** Absolute, as the reference's README suggests for a float32 engine. */
const TOLERANCE = { atol: 5e-4, rtol: 0 }

interface TowerCase {
  readonly index: number
  readonly kind: 'open_clip' | 'hf'
  readonly input?: TowerInput
  /** Default: all blocks and the norm behind them. */
  readonly output?: TowerOutput
  readonly tokens: number
  readonly recorded?: string
}

/** What Cambrian's code takes of each of its four towers. */
const TOWERS: readonly TowerCase[] = [
  { index: 0, kind: 'open_clip', tokens: 36 },
  { index: 1, kind: 'hf', tokens: 36, output: { depth: 2 } },
  { index: 2, kind: 'hf', tokens: 36, input: { imageSize: 98, positions: 'scale' } },
  { index: 2, kind: 'hf', tokens: 36, input: { imageSize: 98 }, recorded: 'tower.2.size_idiom' },
  { index: 3, kind: 'open_clip', tokens: 576, input: { imageSize: 96 } },
]

describe.each(['cambrian-llama3', 'cambrian-phi3'])('%s', (name) => {
  const golden = new OriginalCase(name)
  const folders = Object.values(golden.facts.towers)

  describe.each(TOWERS)('tower $index, $input', ({ index, kind, input, output, tokens, recorded }) => {
    let gpu: Gpu
    let arena: Arena
    let weights: WeightStore
    let found: TowerRepository
    let taken: TowerOutput

    beforeAll(async () => {
      gpu = await testGpu()
      arena = new Arena(gpu)
      const folder = join(golden.folder, folders[index]!)
      found =
        kind === 'hf'
          ? await configureHfTower(readJson(folder, 'config.json'), 'config.json:', input)
          : configureOpenClip(readJson(folder, 'open_clip_config.json'), 'open_clip_config.json:', input)
      taken = output ?? { depth: found.tower.config.layers, finalNorm: true }
      weights = await loadTower(gpu, arena, folder, found, taken)
    })
    afterAll(() => {
      weights?.destroy()
      arena?.destroy()
    })

    const kindOfTensor = recorded ?? `tower.${index}`
    // Pixels lie beside all towers' features in the first turn, beside some in the others.
    const turns = golden.facts.turns.filter(
      ({ tensors }) => kindOfTensor in tensors && `pixel_values.${index}` in tensors,
    )

    test.each(turns)('turn $name', async ({ tensors }) => {
      const { tower } = found
      const blueprint = {
        name,
        prefix: 'vision',
        tower,
        output: taken,
        dropsFirstRow: tower.config.hasClsToken,
        tokens,
      } satisfies TowerBlueprint
      const pixels = golden.tensor(tensors[`pixel_values.${index}`]!)
      expect(pixels.shape.slice(-2)).toEqual([tower.config.imageSize, tower.config.imageSize])
      const created = tower.create(weights.at('vision'), taken)
      const [got] = await runTower(gpu, arena, created, pixels, (enc, maps) => {
        const features = selectFeatures(enc, blueprint, maps)
        return [features.take(enc, 0, features.rows)]
      })
      const want = golden.tensor(tensors[kindOfTensor]!)
      expect(want.shape.slice(-2)).toEqual([tokens, tower.config.hiddenSize])
      expect(got).toBeClose(index === 3 ? beforeRounding(want.data, got!) : want.data, TOLERANCE)
    })

    test('has turns to compare', () => {
      expect(turns.length).toBeGreaterThan(0)
    })
  })
})

/** The fourth tower is recorded in float16: of the numbers that round to a recorded one, that nearest to `got`. */
const beforeRounding = (recorded: Float32Array, got: Float32Array) =>
  recorded.map((value, i) => {
    const halfStep = Math.abs(value) * 2 ** -11
    return Math.min(Math.max(got[i]!, value - halfStep), value + halfStep)
  })
