import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Arena, Encoder, letterbox, uploadTensor, type Gpu, type Tensor } from '../../kernels'
import { seenKeys } from '../../kernels/sva/sva.ref'
import { testGpu } from '../../kernels/testing/gpu'
import { parseSafetensorsHeader } from '../checkpoint/safetensors'
import { Gradients } from '../gradients'
import { under, type WeightStore } from '../parameters'
import { OriginalCase } from '../testing/original'
import { storeFrom } from '../testing/store'
import type { TowerFeatures } from './definition'
import { sva, type SvaConfig } from './sva'
import { svaSides } from './sva-config'
import { SvaLayer } from './sva-layer'
import { contextOf } from './sva-sampler'
import { isTrainable, zeroMaps, type TrainableConnector } from './trainable'

/** What expected.json tells of a case of a connector alone. */
interface ConnectorFacts {
  readonly tower_widths: readonly number[]
  readonly heads: number
  readonly samples: readonly {
    readonly image_size: readonly [width: number, height: number]
    readonly final_size: readonly [rows: number, columns: number]
    readonly output: string
    readonly cotangent: string
  }[]
}

/** Largest error that float32 itself makes there is 4e-5 of values up to 40. */
const FEATURES = { rtol: 2e-5 }
const GRADIENTS = { rtol: 2e-5 }

describe.each(['cambrian-sva-unit', 'cambrian-sva-groups'])('%s', (name) => {
  const golden = new OriginalCase(name)
  const { tower_widths, heads, samples } = golden.facts as unknown as ConnectorFacts
  const config = configOf(golden, tower_widths, heads)
  const sides = svaSides(config)
  const configured = sva(config)
  const specs = configured.params()
  const weights = checkpointOf(golden)
  let gpu: Gpu
  let arena: Arena
  let store: WeightStore
  let connector: TrainableConnector

  /** A sample's rows of a recorded tensor [samples * rows, C] or [samples, rows, C]. */
  const rowsOf = (tensor: string, sample: number) => {
    const { data } = golden.tensor(tensor)
    const size = data.length / samples.length
    return data.slice(sample * size, (sample + 1) * size)
  }
  const sizeOf = (sample: number) => {
    const [width, height] = samples[sample]!.image_size
    return { width, height }
  }

  beforeAll(async () => {
    gpu = await testGpu()
    arena = new Arena(gpu)
    store = storeFrom(gpu, arena, under('connector', specs), (key) =>
      weights.get(key.replace('connector.', 'model.'))!,
    )
    const created = configured.create(store.at('connector'))
    if (!isTrainable(created)) throw new Error('sva: not trainable')
    connector = created
  })

  afterAll(() => {
    store.destroy()
    arena.destroy()
  })

  /** Runs with the features of a sample on the GPU, whose rows come as they would from a tower. */
  async function withFeatures<T>(
    sample: number,
    run: (enc: Encoder, features: readonly TowerFeatures[]) => Promise<T>,
  ): Promise<T> {
    const enc = new Encoder(gpu, arena, 'test')
    const uploaded = tower_widths.map((width, t) =>
      uploadTensor(gpu, `features ${t}`, [config.tokens[t]!, width], rowsOf(`input.features.${t}`, sample)),
    )
    try {
      return await run(enc, uploaded.map(featuresOf))
    } finally {
      enc.end()
      for (const { buffer } of uploaded) gpu.destroyBuffer(buffer)
      await gpu.check()
    }
  }

  test('parameters are those of the checkpoint', () => {
    expect(Object.keys(specs).sort()).toEqual(
      [...weights.keys()].map((key) => key.slice('model.'.length)).sort(),
    )
    for (const [key, { shape }] of Object.entries(specs)) {
      expect(weights.get(`model.${key}`)!.shape, key).toEqual(shape)
    }
  })

  test('masks are those of the letterbox', () => {
    sides.queries.forEach((side, g) => {
      sides.maps.forEach((mapSide, t) => {
        const mask = samples.flatMap(({ image_size: [width, height] }) =>
          Array.from({ length: side * side }, (_, cell) => {
            const whole = { k: [], v: [], side: mapSide }
            const seen = new Set(seenKeys({ ...whole, valid: letterbox(width, height, mapSide) }, side, cell))
            return seenKeys(whole, side, cell).map((row) => Number(seen.has(row)))
          }).flat(),
        )
        expect(mask).toEqual([...golden.tensor(`connector_mask.${g}.${t}`).data])
      })
    })
  })

  test.each(samples.map((_, sample) => sample))(
    'every part of sample %i computes what the original does',
    async (sample) => {
      await withFeatures(sample, async (enc, features) => {
        const maps = features.map((tower, t) => connector.keep(enc, t, tower))
        for (const t of [0, 1, 2]) {
          expect(await enc.read(maps[t]!), `aux.${t}`).toBeClose(rowsOf(`aux.${t}`, sample), FEATURES)
        }
        const context = contextOf(enc, maps)
        const contextRows = golden.tensor('global_context')
        const cells = samples.map(({ final_size: [h, w] }) => h * w)
        const first = cells.slice(0, sample).reduce((sum, count) => sum + count, 0)
        const want = contextRows.data.slice(first * config.hidden, (first + 1) * config.hidden)
        expect(await enc.read(context), 'global_context').toBeClose(want, FEATURES)

        const { width, height } = sizeOf(sample)
        const bands = sides.maps.map((side) => letterbox(width, height, side))
        for (const [g, side] of sides.queries.entries()) {
          const query = weights.get('model.vision_query')!.slice(g * config.hidden, (g + 1) * config.hidden)
          const count = side * side
          const rows = Float32Array.from(
            { length: count * config.hidden },
            (_, i) => query[i % config.hidden]!,
          )
          let q = enc.constant(rows, [count, config.hidden])
          for (let j = 0; j < config.depth; j++) {
            const own = store.at(`connector.vision_sampler_${g}.layers.${j}`)
            const shape = {
              queryWidth: config.hidden,
              hidden: config.hidden,
              heads,
              side,
              mapSides: sides.maps,
            }
            q = new SvaLayer(shape, own).forward(enc, q, { context, maps, bands })
            const recorded = `sampler.${g}.layer.${j}`
            expect(await enc.read(q), recorded).toBeClose(rowsOf(recorded, sample), FEATURES)
          }
        }

        const joined = connector.join(enc, maps, sizeOf(sample))
        const { shape, data } = golden.tensor(samples[sample]!.output)
        expect(joined.shape).toEqual(shape)
        expect(await enc.read(joined), 'rows').toBeClose(data, FEATURES)
      })
    },
  )

  test('gradients are those of the original', async () => {
    const gradients = new Gradients(gpu, under('connector', specs))
    const sums = gradients.at('connector')
    try {
      for (let sample = 0; sample < samples.length; sample++) {
        await withFeatures(sample, async (enc, features) => {
          const maps = features.map((tower, t) => connector.keep(enc, t, tower))
          const { saved } = connector.joinTraining(enc, maps, sizeOf(sample))
          const cotangent = golden.tensor(samples[sample]!.cotangent)
          const mapSums = zeroMaps(enc, maps)
          connector.joinBackward(enc, enc.constant(cotangent.data, cotangent.shape), saved, sums, mapSums)
          for (const [t, tower] of features.entries()) {
            const dFeatures: Tensor[] = []
            connector.keepBackward(enc, t, tower, mapSums[t]!, sums, (_, dRows) => {
              const own = enc.keep(enc.temp(dRows.shape))
              enc.copy(dRows, own)
              dFeatures.push(own)
            })
            const got = await Promise.all(dFeatures.map((rows) => enc.read(rows)))
            for (const { buffer } of dFeatures) arena.give(buffer)
            const want = rowsOf(`grad.features.${t}`, sample)
            expect(got.flatMap((rows) => [...rows])).toBeClose(want, GRADIENTS)
          }
        })
      }
      const enc = new Encoder(gpu, arena, 'read gradients')
      let count = 0
      for (const [parameter, sum] of gradients.entries()) {
        const recorded = golden.tensor(`grad.${parameter.replace('connector.', 'model.')}`)
        expect(await enc.read(sum), parameter).toBeClose(recorded.data, GRADIENTS)
        count++
      }
      expect(count).toBe(weights.size)
      enc.end()
    } finally {
      gradients.destroy()
    }
  })
})

const featuresOf = (tensor: Tensor): TowerFeatures => ({
  rows: tensor.shape[0]!,
  width: tensor.shape[1]!,
  take(enc, start, count) {
    const width = tensor.shape[1]!
    const rows = enc.temp([count, width])
    enc.copy(tensor, rows, { fromOffset: start * width * 4, bytes: count * width * 4 })
    return rows
  },
})

function configOf(golden: OriginalCase, visionWidths: readonly number[], heads: number): SvaConfig {
  const json = JSON.parse(readFileSync(`${golden.folder}checkpoint/config.json`, 'utf8')) as Record<
    string,
    number & number[]
  >
  return {
    textWidth: json['hidden_size']!,
    visionWidths,
    tokens: json['mm_vision_tower_aux_token_len_list']!,
    hidden: json['vision_hidden_size']!,
    queryGroups: json['num_query_group']!,
    queryCounts: json['query_num_list']!,
    imageTokens: json['image_token_len']!,
    depth: json['connector_depth']!,
    samplerLayers: [],
    heads,
  }
}

type Stored = Float32Array<ArrayBuffer> & { shape?: readonly number[] }

function checkpointOf(golden: OriginalCase): Map<string, Stored> {
  const bytes = readFileSync(`${golden.folder}checkpoint/model.safetensors`)
  const { tensors } = parseSafetensorsHeader(bytes, bytes.length, 'model.safetensors')
  return new Map(
    tensors.map(({ name, start, end, shape }) => {
      const values = new Float32Array(new Uint8Array(bytes.subarray(start, end)).buffer)
      return [name, Object.assign(values, { shape })]
    }),
  )
}
