import { readFileSync } from 'node:fs'
import { nodeCodecLoader } from '../../src/cli/codecs-node'
import { DiskSource } from '../../src/cli/disk-source'
import { createCodecs } from '../../src/model/image/codecs'
import { openDataset } from '../../src/model/train/dataset'
import type { DataOrder } from '../../src/model/train/order'
import { recipes } from '../../src/model/train/recipes'
import { Trainer } from '../../src/model/train/trainer'
import { Engine } from '../../src/worker/engine'
import type { TrainRunPreset } from '../presets.mjs'
import type { Bench, Subject } from './subject'

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown

/** Steps of stage 1 as a run takes them, always on the first micro-batch; features come from memory after the first. */
export async function trainRunSubject({ gpu }: Bench, preset: TrainRunPreset): Promise<Subject> {
  const engine = new Engine({
    gpu: undefined,
    openDevice: () => Promise.resolve(gpu),
    imageCodecs: nodeCodecLoader,
    selfTest: () => Promise.resolve({ passed: true, checks: [], ms: 0 }),
  })
  await engine.loadFrom(new DiskSource(preset.model), { dtype: 'f32' }, () => {})
  const zip = new Blob([readFileSync(preset.samples)])
  const dataset = await openDataset({ kind: 'zip', file: zip, name: 'samples.zip' })
  const [first] = json(preset.order) as number[][][]
  const order: DataOrder = { steps: undefined, stepsPerEpoch: 1, microBatches: () => first! }
  const curve = json(preset.curve) as { steps: { loss: number }[] }
  const trainer = await Trainer.create(engine.loaded!, {
    recipe: {
      ...recipes['llava-1.5'].recipe,
      captionEnd: 'eos',
      start: 'checkpoint',
      batchSize: preset.batch,
      accumulate: 1,
    },
    dataset,
    order,
    steps: 1_000_000,
    heldOut: { dataset, rows: [] },
    codecs: createCodecs(nodeCodecLoader),
  })
  const step = () => trainer.next(new AbortController().signal)
  return {
    async check() {
      const { loss, tokens, learnedTokens } = await step()
      if (tokens !== preset.positions || learnedTokens !== preset.learned) {
        throw new Error(
          `train: expected ${preset.positions} positions, ${preset.learned} learned, got ${tokens}, ${learnedTokens}`,
        )
      }
      const want = curve.steps[0]!.loss
      return { error: Math.abs(loss - want) / want, allowed: 1e-4 }
    },
    async run(units) {
      for (let i = 0; i < units; i++) await step()
    },
  }
}
