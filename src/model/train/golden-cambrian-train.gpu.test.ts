import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import '../../kernels/testing/setup'
import { Arena, Encoder, uploadTensor, type Gpu, type Tensor } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import type { JsonObject } from '../config-reader'
import { sva } from '../connector/sva'
import { blueprintSpecs, type Blueprint } from '../family/definition'
import { llama } from '../language/llama'
import { storeFrom } from '../testing/store'
import { CambrianTrainingCase, type RecordedStep } from '../testing/training-case'
import { plainFeatures } from '../tower-features'
import { Vlm } from '../vlm'
import { rates } from './schedule'
import { Stage1 } from './stage1'
import { expectRelative, expectWeights, GOLDEN_RECIPE, GOLDEN_STEPS, TOLERANCE } from './testing/golden'
import { TrainedConnector } from './trained-connector'
import type { TrainingSample } from './training-pass'

const golden = new CambrianTrainingCase()
const { samples, optimizer, tower_widths: widths } = golden.facts
const RECIPE = {
  ...GOLDEN_RECIPE,
  samplerLearningRate: optimizer.mm_vision_sampler_lr,
  warmupRatio: optimizer.warmup_ratio,
}
const IMAGE = -200

describe('cambrian-train', () => {
  const blueprint = blueprintOf(
    JSON.parse(readFileSync(join(golden.folder, 'checkpoint/config.json'), 'utf8')) as JsonObject,
  )
  let gpu: Gpu
  let vlm: Vlm
  let trained: TrainedConnector
  const features: Tensor[][] = []

  beforeAll(async () => {
    gpu = await testGpu()
    const arena = new Arena(gpu)
    const keyOf = (name: string) => name.replace(/^language\./, '').replace(/^connector\./, 'model.')
    const store = storeFrom(
      gpu,
      arena,
      blueprintSpecs(blueprint),
      (name) => golden.parameter(keyOf(name), 0).data,
    )
    vlm = new Vlm(gpu, arena, blueprint, store)
    trained = new TrainedConnector(gpu, blueprint)
    trained.write(
      new Map(Object.keys(trained.specs).map((name) => [name, golden.parameter(`model.${name}`, 0).data])),
    )
    for (const [i] of samples.entries()) {
      features.push(
        widths.map((width, tower) => {
          const { shape, data } = golden.features(tower)
          const size = data.length / shape[0]!
          const rows = data.slice(i * size, (i + 1) * size)
          return uploadTensor(gpu, `features ${i} ${tower}`, [size / width, width], rows)
        }),
      )
    }
  })

  afterAll(() => {
    trained.destroy()
    vlm.destroy()
    for (const { buffer } of features.flat()) gpu.destroyBuffer(buffer)
  })

  const batch = samples.map(({ image_size: size, input_ids: ids, labels }, i): TrainingSample => {
    const at = ids.indexOf(IMAGE)
    return {
      picture: size
        ? {
            size: { width: size[0], height: size[1] },
            features: () => features[i]!.map((map) => plainFeatures(map, 0)),
          }
        : undefined,
      place: ([rows = 0]) => {
        const spread = (values: readonly number[], fill: number) =>
          at < 0
            ? values
            : [...values.slice(0, at), ...Array<number>(rows).fill(fill), ...values.slice(at + 1)]
        return {
          ids: Uint32Array.from(spread(ids, IMAGE)),
          labels: Int32Array.from(spread(labels, -100)),
          images: at < 0 ? [] : [{ start: at, rows }],
        }
      },
    }
  })

  test('every parameter of stage 1 learns, and no other', () => {
    expect(
      Object.keys(trained.specs)
        .map((name) => `model.${name}`)
        .sort(),
    ).toEqual([...golden.facts.trainable].sort())
  })

  test(`losses, rates, norms, gradients and weights of ${GOLDEN_STEPS} steps are the recorded ones`, async () => {
    const stage = new Stage1(vlm, trained, RECIPE)
    const alone = await stage.losses(batch)
    for (const [i, { loss_sum: sum, target_tokens: count }] of samples.entries()) {
      expectRelative(alone[i]! * count, sum, TOLERANCE.loss, `loss of sample ${i}`)
    }
    await stage.gradients(batch)
    const enc = new Encoder(gpu, vlm.arena, 'test')
    for (const name of Object.keys(trained.specs)) {
      const want = golden.gradient(`model.${name}`).data
      expect(await enc.read(trained.gradient(name)), name).toBeClose(want, { atol: 1e-6, rtol: 1e-4 })
    }
    trained.gradients.zero(enc)
    enc.end()
    expect(golden.facts.loss.length).toBe(20)
    for (const [i, loss] of golden.facts.loss.slice(0, GOLDEN_STEPS).entries()) {
      const rate = rates(RECIPE, i, optimizer.steps)
      expect(rate.lr).toBeCloseTo(golden.facts.lr[i]!, 12)
      expect(rate.samplerLr).toBeCloseTo(golden.facts.sampler_lr[i]!, 12)
      const got = await stage.step([batch], rate)
      expectRelative(got.loss, loss, TOLERANCE.loss, `loss of step ${i}`)
      expectRelative(got.gradNorm, golden.facts.grad_norm[i]!, TOLERANCE.gradNorm, `norm of step ${i}`)
      expect(got.learnedTokens).toBe(golden.facts.total_target_tokens)
      if (![2, 5, 20].includes(i + 1)) continue
      for (const [name, values] of await trained.read(vlm.arena)) {
        expectWeights(values, golden.parameter(`model.${name}`, (i + 1) as RecordedStep).data, name)
      }
    }
    await gpu.check()
  }, 400_000)
})

/** The model without its towers, which the case does not have. */
function blueprintOf(config: JsonObject): Blueprint {
  const number = (name: string) => config[name] as number
  const samplerLayers = Array.from(
    { length: number('num_of_vision_sampler_layers') },
    (_, m) => number('start_of_vision_sampler_layers') + m * number('stride_of_vision_sampler_layers'),
  )
  return {
    architecture: 'cambrian-train',
    language: llama.configure(config, 'config.json'),
    vision: {
      towers: [],
      connector: sva({
        textWidth: number('hidden_size'),
        visionWidths: widths,
        tokens: config['mm_vision_tower_aux_token_len_list'] as number[],
        hidden: number('vision_hidden_size'),
        queryGroups: number('num_query_group'),
        queryCounts: config['query_num_list'] as number[],
        imageTokens: number('image_token_len'),
        depth: number('connector_depth'),
        samplerLayers,
        heads: 16,
      }),
      imageTokens: number('image_token_len') + Math.sqrt(number('image_token_len')),
      imageTokenId: IMAGE,
    },
    rename: (key) => key,
  }
}
