import { describe, expect, test } from 'vitest'
import '../../kernels/testing/setup'
import { createTensor, elementCount, Encoder, uploadTensor, type Tensor } from '../../kernels'
import type { WeightDtype } from '../../worker/api'
import { sharedEngine } from '../../worker/testing/engines'
import type { ChatModel } from '../chat-model'
import { plainFeatures } from '../tower-features'
import { HfTrainingCase, type RecordedStep } from '../testing/training-case'
import { selectFeatures } from '../towers'
import { rates } from './schedule'
import { Stage1 } from './stage1'
import { expectRelative, expectWeights, GOLDEN_RECIPE, GOLDEN_STEPS, TOLERANCE } from './testing/golden'
import { TrainedConnector } from './trained-connector'
import type { TrainingSample } from './training-pass'

/** What the recorded curve is followed to: losses of every step as a share of the recorded ones, and weights at the end. */
describe.each(['train-clip-llama', 'train-siglip-qwen2'] as const)('%s', (name) => {
  const golden = new HfTrainingCase(name)
  const { samples, steps, micro_batches: microBatches } = golden.facts

  /** Samples with the features that the model's own tower gives for the recorded pixels. */
  async function recordedSamples(model: ChatModel): Promise<{ samples: TrainingSample[]; free(): void }> {
    const { vlm, opened } = model
    const { gpu, arena, towers } = vlm
    const pixels = golden.tensor('pixel_values')
    const size = elementCount(pixels.shape) / samples.length
    const kept: Tensor[] = []
    for (const [i] of samples.entries()) {
      const enc = new Encoder(gpu, arena, 'features')
      const input = uploadTensor(
        gpu,
        'pixels',
        [1, ...pixels.shape.slice(1)],
        pixels.data.slice(i * size, (i + 1) * size),
      )
      const maps = await towers.at(0)!.features(enc, input)
      const selected = selectFeatures(enc, towers.blueprints[0]!, maps)
      const rows = selected.take(enc, 0, selected.rows)
      const own = createTensor(gpu, `features ${i}`, rows.shape)
      enc.copy(rows, own)
      enc.end()
      gpu.destroyBuffer(input.buffer)
      kept.push(own)
    }
    const placeholder = opened.blueprint.vision!.imageTokenId
    return {
      samples: samples.map(({ input_ids: ids, labels }, i) => ({
        picture: { size: { width: 1, height: 1 }, features: () => [plainFeatures(kept[i]!, 0)] },
        place: (rows) => {
          expect(ids.filter((id) => id === placeholder).length).toBe(rows[0])
          const start = ids.indexOf(placeholder)
          return {
            ids: Uint32Array.from(ids),
            labels: Int32Array.from(labels),
            images: [{ start, rows: rows[0]! }],
          }
        },
      })),
      free: () => kept.forEach(({ buffer }) => gpu.destroyBuffer(buffer)),
    }
  }

  async function withStage(
    dtype: WeightDtype,
    run: (stage: Stage1, samples: readonly TrainingSample[], model: ChatModel) => Promise<void>,
    keepBytes = 0,
  ) {
    const engine = sharedEngine()
    await engine.loadFrom(golden.checkpoint, { dtype }, () => {})
    const model = engine.loaded!
    const trained = new TrainedConnector(model.vlm.gpu, model.opened.blueprint)
    trained.write(await model.connectorValues())
    const recorded = await recordedSamples(model)
    try {
      await run(new Stage1(model.vlm, trained, GOLDEN_RECIPE, keepBytes), recorded.samples, model)
      await model.vlm.gpu.check()
    } finally {
      recorded.free()
      trained.destroy()
      await engine.unload()
    }
  }

  const batchesOf = (step: number, all: readonly TrainingSample[]) =>
    microBatches[step]!.map((indices) => indices.map((i) => all[i]!))

  test(`in f32: losses, norms and weights of ${GOLDEN_STEPS} steps are the recorded ones`, async () => {
    await withStage('f32', async (stage, all, { vlm }) => {
      expect(await stage.losses(all)).toBeClose(golden.facts.caption_losses_before, { rtol: TOLERANCE.loss })
      expect(steps.length).toBe(20)
      for (const [i, want] of steps.slice(0, GOLDEN_STEPS).entries()) {
        const rate = rates(GOLDEN_RECIPE, i, steps.length)
        expectRelative(rate.lr || 1, want.lr || 1, 1e-9, `rate of step ${i}`)
        const got = await stage.step(batchesOf(i, all), rate)
        expectRelative(got.loss, want.loss, TOLERANCE.loss, `loss of step ${i}`)
        expect(got.microLosses).toBeClose(want.micro_losses, { rtol: TOLERANCE.loss })
        expectRelative(got.gradNorm, want.grad_norm, TOLERANCE.gradNorm, `norm of step ${i}`)
        if (![2, 5, 20].includes(i + 1)) continue
        for (const [key, values] of await stage.trained.read(vlm.arena)) {
          const parameter = `multi_modal_projector.${key}`
          expectWeights(values, golden.parameter(parameter, (i + 1) as RecordedStep).data, parameter)
        }
      }
      if (GOLDEN_STEPS < steps.length) return
      expect(await stage.losses(all)).toBeClose(golden.facts.caption_losses_after, { rtol: TOLERANCE.loss })
    })
  })

  // Of no layer, of the last one, of all.
  test.each([0, 300_000, Infinity])(
    'in f32: gradients of the first step are the recorded ones, %f bytes kept',
    async (keepBytes) => {
      const check = async (stage: Stage1, all: readonly TrainingSample[], { vlm }: ChatModel) => {
        const sums = new Map<string, Float32Array>()
        for (const samples of batchesOf(0, all)) {
          await stage.gradients(samples)
          const enc = new Encoder(vlm.gpu, vlm.arena, 'test')
          for (const key of Object.keys(stage.trained.specs)) {
            const half = (await enc.read(stage.trained.gradient(key))).map((value) => value / 2)
            sums.set(key, sums.get(key)?.map((value, i) => value + half[i]!) ?? half)
          }
          enc.end()
        }
        for (const [key, got] of sums) {
          const want = golden.gradient(`multi_modal_projector.${key}`).data
          expect(got, key).toBeClose(want, { atol: TOLERANCE.gradient, rtol: 0 })
        }
      }
      await withStage('f32', check, keepBytes)
    },
  )
})
