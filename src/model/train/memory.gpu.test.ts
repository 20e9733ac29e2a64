import { expect, test } from 'vitest'
import '../../kernels/testing/setup'
import { uploadTensor, type Tensor } from '../../kernels'
import { generator, seeded } from '../../kernels/testing/numbers'
import { sharedEngine } from '../../worker/testing/engines'
import { plainFeatures } from '../tower-features'
import { HfTrainingCase } from '../testing/training-case'
import { IGNORED } from './definition'
import { Stage1 } from './stage1'
import { GOLDEN_RECIPE } from './testing/golden'
import { TrainedConnector } from './trained-connector'
import type { TrainingSample } from './training-pass'

const golden = new HfTrainingCase('train-clip-llama')
/** Steps of which no two are of one length; then they come again. */
const ROUND = 8
/** Memory does not depend on the adapter. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

test.skipIf(isSlow)(
  'steps of varying lengths take no more GPU memory the fifth time than the first',
  async () => {
    const engine = sharedEngine()
    await engine.loadFrom(golden.checkpoint, { dtype: 'f32' }, () => {})
    const { vlm, opened } = engine.loaded!
    const { gpu } = vlm
    const trained = new TrainedConnector(gpu, opened.blueprint)
    trained.write(await engine.loaded!.connectorValues())
    const stage = new Stage1(vlm, trained, GOLDEN_RECIPE)
    const { imageTokens: rows, imageTokenId } = opened.blueprint.vision!
    const width = trained.specs['linear_1.weight']!.shape[1]!
    const features = uploadTensor(gpu, 'features', [rows, width], seeded({ x: [rows, width] }).x)
    const random = generator(1)
    const batches = Array.from({ length: ROUND }, (_, i) =>
      [0, 1].map(() =>
        [0, 1].map(() => captioned(features, imageTokenId, 4 + 8 * i + Math.floor(8 * random()))),
      ),
    )
    const held: number[] = []
    for (let step = 0; step < 5 * ROUND; step++) {
      // Long ones and short ones by turns, and a validation between two.
      await stage.step(batches[(step * 3) % ROUND]!, { lr: 1e-3 })
      if (step % ROUND === 5) await stage.losses(batches[7]!.flat())
      held.push(gpu.allocatedBytes)
    }
    expect(held[ROUND - 1]).toBeGreaterThan(held[0]!)
    expect(held.slice(ROUND)).toEqual(held.slice(ROUND).fill(held[ROUND - 1]!))
    trained.destroy()
    gpu.destroyBuffer(features.buffer)
    await engine.unload()
  },
)

/** A picture and so many tokens about it. */
function captioned(features: Tensor, placeholder: number, tokens: number): TrainingSample {
  return {
    picture: { size: { width: 1, height: 1 }, features: () => [plainFeatures(features, 0)] },
    place: ([rows = 0]) => ({
      ids: Uint32Array.from({ length: rows + tokens }, (_, t) => (t < rows ? placeholder : 3 + t)),
      labels: Int32Array.from({ length: rows + tokens }, (_, t) => (t < rows ? IGNORED : 3 + t)),
      images: [{ start: 0, rows }],
    }),
  }
}
