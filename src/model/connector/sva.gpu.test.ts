import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Arena, Encoder, letterbox, unpaddedGrid, uploadTensor, type Gpu, type Tensor } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import { seeded } from '../../kernels/testing/numbers'
import { Gradients } from '../gradients'
import { under, type WeightStore } from '../parameters'
import { storeFrom } from '../testing/store'
import { AuxProjector, auxProjectorSpecs } from './aux-projector'
import type { PictureSize } from './definition'
import { sva, type SvaConfig } from './sva'
import { svaLayerSpecs, type SvaLayerConfig } from './sva-layer'
import { expectGradients, randomParameters } from './testing/directional'
import { refineRef, svaLayerRef } from './testing/sva-layer.ref'
import { isTrainable, zeroMaps, type TrainableConnector, type TrainableSampler } from './trainable'

const config: SvaConfig = {
  textWidth: 20,
  visionWidths: [12, 8],
  tokens: [16, 144],
  hidden: 32,
  queryGroups: 1,
  queryCounts: [16],
  imageTokens: 16,
  depth: 2,
  samplerLayers: [0, 3],
  heads: 4,
}
const SAMPLER = 'vision_sampler_layers.1.layers.0'
const samplerLayer: SvaLayerConfig = { queryWidth: 20, hidden: 32, heads: 4, side: 4, mapSides: [4, 12] }
const sizes: readonly (PictureSize & { rows: number })[] = [
  { width: 30, height: 30, rows: 20 },
  { width: 40, height: 21, rows: 10 },
  { width: 20, height: 41, rows: 12 },
  { width: 4000, height: 3, rows: 10 },
]

describe('sva', () => {
  const specs = sva(config).params()
  const values = randomParameters(specs)
  const data = seeded({ map0: [16, 32], map1: [144, 32], x: [20, 20], dy: [20, 20] }, 2)
  const maps = [data.map0, data.map1]
  const samplerValues = Object.fromEntries(
    Object.keys(svaLayerSpecs(samplerLayer)).map((name) => [name, values[`${SAMPLER}.${name}`]!]),
  )
  let gpu: Gpu
  let arena: Arena
  let store: WeightStore
  let connector: TrainableConnector
  let sampler: TrainableSampler
  let uploaded: Tensor[]
  let enc: Encoder

  beforeAll(async () => {
    gpu = await testGpu()
    arena = new Arena(gpu)
    enc = new Encoder(gpu, arena, 'test')
    store = storeFrom(
      gpu,
      arena,
      under('connector', specs),
      (name) => values[name.slice('connector.'.length)]!,
    )
    const created = sva(config).create(store.at('connector'))
    if (!isTrainable(created)) throw new Error('sva: not trainable')
    connector = created
    sampler = connector.samplers.get(3)!
    uploaded = maps.map((map, t) => uploadTensor(gpu, `map ${t}`, map.shape, map))
  })

  afterAll(async () => {
    enc.end()
    await gpu.check()
    for (const { buffer } of uploaded) gpu.destroyBuffer(buffer)
    store.destroy()
    arena.destroy()
  })

  test('samplers stand behind the layers that the config names', () => {
    expect([...connector.samplers.keys()]).toEqual([0, 3])
  })

  describe.each(sizes)('a picture of $width x $height', ({ width, height, rows }) => {
    const size = { width, height }
    const x = data.x.slice(0, rows * 20)
    const dy = data.dy.slice(0, rows * 20)
    const { columns } = unpaddedGrid(width, height, 4)
    const newlines = Array.from({ length: rows / (columns + 1) }, (_, y) => y * (columns + 1) + columns)

    test('is refined inside the language model as the oracle does, newlines untouched', async () => {
      const picture = { maps: uploaded, size }
      const got = await enc.read(sampler.refine(enc, enc.constant(x, [rows, 20]), picture, 0))
      expect(got).toBeClose(refineRef(samplerLayer, samplerValues, x, maps, size, 0))
      for (const row of newlines) {
        expect(got.slice(row * 20, (row + 1) * 20)).toEqual(x.slice(row * 20, (row + 1) * 20))
      }
    })

    test('is refined in pieces as at once', async () => {
      const picture = { maps: uploaded, size }
      const whole = await enc.read(sampler.refine(enc, enc.constant(x, [rows, 20]), picture, 0))
      const pieces: number[] = []
      for (const [from, to] of [
        [0, 1],
        [1, columns],
        [columns, columns + 1],
        [columns + 1, rows],
      ] as const) {
        const part = enc.constant(x.slice(from * 20, to * 20), [to - from, 20])
        pieces.push(...(await enc.read(sampler.refine(enc, part, picture, from))))
      }
      expect(pieces).toBeClose(whole)
    })

    test.each([0, 3])(
      'has the gradients of the sampler that finite differences give, from row %i',
      async (first) => {
        const part = { x: x.slice(first * 20), dy: dy.slice(first * 20) }
        const shape = [rows - first, 20]
        const gradients = new Gradients(gpu, under(`s.${SAMPLER}`, svaLayerSpecs(samplerLayer)))
        const mapSums = zeroMaps(enc, uploaded)
        const args = [enc.constant(part.dy, shape), enc.constant(part.x, shape)] as const
        const picture = { maps: uploaded, size }
        const dx = sampler.refineBackward(enc, ...args, picture, first, gradients.at('s'), mapSums)
        const got: Record<string, Float32Array> = { x: await enc.read(dx) }
        for (const [t, sum] of mapSums.entries()) got[`map${t}`] = await enc.read(sum)
        for (const [name, sum] of gradients.entries())
          got[name.slice(`s.${SAMPLER}.`.length)] = await enc.read(sum)
        gradients.destroy()
        expectGradients(
          ({ x, map0, map1, ...p }) => {
            const y = refineRef(samplerLayer, p, x!, [map0!, map1!], size, first)
            return y.reduce((sum, value, i) => sum + value * part.dy[i]!, 0)
          },
          { ...samplerValues, x: part.x, map0: maps[0]!, map1: maps[1]! },
          got,
        )
      },
    )

    test('has a row for every cell and newline, and shares for every cell', async () => {
      const layout = connector.layout!(size)
      const cells = Array.from(
        { length: layout.area.rows * layout.area.columns },
        (_, i) =>
          (layout.area.top + Math.floor(i / layout.area.columns)) * 4 +
          layout.area.left +
          (i % layout.area.columns),
      )
      expect(connector.join(enc, uploaded, size).shape).toEqual([rows, 20])
      const { shares, area, side } = connector.shares!(enc, uploaded, size)
      expect({ area, side }).toEqual({ area: layout.area, side: 4 })
      const want = new Float64Array(cells.length * 2)
      let q: ArrayLike<number> = cells.flatMap(() => [...values['vision_query']!])
      for (let j = 0; j < 2; j++) {
        const prefix = `vision_sampler_0.layers.${j}.`
        const own = Object.fromEntries(
          Object.entries(values).flatMap(([name, value]) =>
            name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
          ),
        )
        const layer = svaLayerRef({ ...samplerLayer, queryWidth: 32 }, own, q, maps, size, cells)
        layer.shares.forEach((share, i) => void (want[i]! += share / 2))
        q = layer.y
      }
      expect(await enc.read(shares)).toBeClose(want)
    })
  })

  test('a picture thinner than a cell gives the middle cells of one without a letterbox', async () => {
    const thin = { width: 4000, height: 3 }
    expect(letterbox(4000, 3, 12)).toMatchObject({ axis: 'rows', from: 6, to: 6 })
    const square = await enc.read(connector.join(enc, uploaded, { width: 9, height: 9 }))
    const got = await enc.read(connector.join(enc, uploaded, thin))
    expect(got).toBeClose(square.slice(5 * 20, 15 * 20))
  })

  test('computes no gradient that nobody asks for', async () => {
    const gradients = new Gradients(gpu, {
      'connector.mm_projector.2.bias': specs['mm_projector.2.bias']!,
    })
    const { saved } = connector.joinTraining(enc, uploaded, { width: 9, height: 9 })
    const before = enc.dispatches
    connector.joinBackward(enc, enc.constant(data.dy, [20, 20]), saved, gradients.at('connector'))
    // The projector's first layer again, the cells' rows, and the sums of the one bias.
    expect(enc.dispatches - before).toBeLessThan(10)
    const cells = data.dy.filter((_, i) => Math.floor(i / 20) % 5 < 4)
    const sums = Float64Array.from({ length: 20 }, (_, c) =>
      cells.reduce((sum, value, i) => (i % 20 === c ? sum + value : sum), 0),
    )
    expect(await enc.read(gradients.find('connector.mm_projector.2.bias')!)).toBeClose(sums)
    gradients.destroy()
  })
})

describe('aux projector', () => {
  test('tiles of rows give what all rows at once give', async () => {
    const gpu = await testGpu()
    const arena = new Arena(gpu)
    const specs = under('aux', auxProjectorSpecs(24, 16))
    const values = randomParameters(specs)
    const store = storeFrom(gpu, arena, specs, (name) => values[name]!)
    const { x, dy } = seeded({ x: [50, 24], dy: [50, 16] })
    const enc = new Encoder(gpu, arena, 'test')
    const run = async (tileBytes: number) => {
      const projector = new AuxProjector(16, store.at('aux'), tileBytes)
      const taken: number[] = []
      const features = {
        rows: 50,
        width: 24,
        take(_: Encoder, start: number, count: number) {
          taken.push(count)
          return enc.constant(x.slice(start * 24, (start + count) * 24), [count, 24])
        },
      }
      const gradients = new Gradients(gpu, specs)
      const map = await enc.read(projector.forward(enc, features))
      const dFeatures = enc.temp([50, 24])
      projector.backward(enc, features, enc.constant(dy, [50, 16]), gradients.at('aux'), (start, rows) =>
        enc.copy(rows, dFeatures, { toOffset: start * 24 * 4 }),
      )
      const sums = await Promise.all([...gradients.entries()].map(([, sum]) => enc.read(sum)))
      const result = { map, dFeatures: await enc.read(dFeatures), sums, taken }
      gradients.destroy()
      return result
    }
    const whole = await run(2 ** 20)
    const tiled = await run(16 * 24 * 4)
    expect(whole.taken).toEqual([50, 50])
    expect(tiled.taken).toEqual([16, 16, 16, 2, 16, 16, 16, 2])
    expect(tiled.map).toBeClose(whole.map)
    expect(tiled.dFeatures).toBeClose(whole.dFeatures)
    tiled.sums.forEach((sum, i) => expect(sum).toBeClose(whole.sums[i]!))
    enc.end()
    store.destroy()
    arena.destroy()
    await gpu.check()
  })
})
