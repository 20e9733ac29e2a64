import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Arena, Encoder, uploadTensor, type Gpu, type Tensor } from '../../kernels'
import { matmulRef } from '../../kernels/matmul/matmul.ref'
import { testGpu } from '../../kernels/testing/gpu'
import { seeded } from '../../kernels/testing/numbers'
import { Gradients } from '../gradients'
import { under } from '../parameters'
import { storeFrom } from '../testing/store'
import { gridConnector } from './grid'
import { rowConnector } from './index'
import { perRow } from './rows'
import { expectGradients, randomParameters } from './testing/directional'
import { isTrainable, zeroMaps } from './trainable'
import type { ConfiguredConnector, PictureSize } from './definition'

type Inputs = Readonly<Record<string, ArrayLike<number>>>

const NAMES = {
  linear: ['mm_projector'],
  mlp1x_gelu: ['mm_projector.0'],
  mlp2x_gelu: ['mm_projector.0', 'mm_projector.2'],
  mlp4x_gelu: ['mm_projector.0', 'mm_projector.2', 'mm_projector.4', 'mm_projector.6'],
  identity: [],
} as const

const wide = [6, 8]
const tall = { width: 20, height: 41 }

/** Linear layers with GELU between, in float64. */
function stackRef(
  layers: readonly string[],
  p: Inputs,
  x: ArrayLike<number>,
  width: number,
): ArrayLike<number> {
  return layers.reduce((y, layer, i) => {
    const K = p[`${layer}.weight`]!.length / p[`${layer}.bias`]!.length
    const activation = i < layers.length - 1 ? 'gelu' : 'none'
    return matmulRef(y, p[`${layer}.weight`]!, i === 0 ? width : K, { bias: p[`${layer}.bias`], activation })
  }, x)
}

/** Rows of a tall picture on a grid of 4: its two middle columns, a newline behind each two. */
function gridRef(
  layers: readonly string[],
  p: Inputs,
  maps: readonly ArrayLike<number>[],
  D: number,
): number[] {
  const rows: number[] = []
  for (let y = 0; y < 4; y++) {
    for (const x of [1, 2]) {
      const cell = wide.flatMap((C, t) => Array.from({ length: C }, (_, c) => maps[t]![(y * 4 + x) * C + c]!))
      rows.push(...Array.from(stackRef(layers, p, cell, 14)))
    }
    rows.push(...Array.from({ length: D }, (_, c) => p['image_newline']![c]!))
  }
  return rows
}

let gpu: Gpu
let arena: Arena
beforeAll(async () => {
  gpu = await testGpu()
  arena = new Arena(gpu)
})
afterAll(async () => {
  arena.destroy()
  await gpu.check()
})

/** Rows a connector gives for a picture, and all gradients for a cotangent. */
async function trainOn(
  configured: ConfiguredConnector,
  p: Record<string, Float32Array<ArrayBuffer>>,
  maps: readonly (Float32Array & { shape: readonly number[] })[],
  size: PictureSize,
  dy: Float32Array,
) {
  const specs = under('connector', configured.params())
  const store = storeFrom(gpu, arena, specs, (name) => p[name.slice('connector.'.length)]!)
  const gradients = new Gradients(gpu, specs)
  const uploaded: Tensor[] = maps.map((map, t) => uploadTensor(gpu, `map ${t}`, map.shape, map))
  const enc = new Encoder(gpu, arena, 'test')
  try {
    const connector = configured.create(store.at('connector'))
    if (!isTrainable(connector)) throw new Error('not trainable')
    const { rows, saved } = connector.joinTraining(enc, uploaded, size)
    const joined = await enc.read(connector.join(enc, uploaded, size))
    expect(await enc.read(rows)).toEqual(joined)
    const mapSums = zeroMaps(enc, uploaded)
    connector.joinBackward(enc, enc.constant(dy, rows.shape), saved, gradients.at('connector'), mapSums)
    const got: Record<string, Float32Array> = {}
    for (const [t, sum] of mapSums.entries()) got[`map${t}`] = await enc.read(sum)
    for (const [name, sum] of gradients.entries()) got[name.slice('connector.'.length)] = await enc.read(sum)
    return { rows: joined, shape: rows.shape, gradients: got, layout: connector.layout?.(size) }
  } finally {
    enc.end()
    gradients.destroy()
    for (const { buffer } of uploaded) gpu.destroyBuffer(buffer)
    store.destroy()
  }
}

describe.each(Object.entries(NAMES))('towers joined by %s', (type, layers) => {
  const D = type === 'identity' ? 14 : 10

  test('computes what float64 does, forward and backward, under the names of the checkpoint', async () => {
    const config = { textWidth: D, visionWidths: wide, imageTokens: 16 }
    const configured = gridConnector(await rowConnector(type), config)
    const p = randomParameters(configured.params())
    const names = ['image_newline', ...layers.flatMap((layer) => [`${layer}.weight`, `${layer}.bias`])]
    expect(Object.keys(p).sort()).toEqual(names.sort())
    const { map0, map1, dy } = seeded({ map0: [16, 6], map1: [16, 8], dy: [12, D] }, 3)
    const got = await trainOn(configured, p, [map0, map1], tall, dy)
    expect(got.shape).toEqual([12, D])
    expect(got.layout).toEqual({
      side: 4,
      area: { top: 0, left: 1, rows: 4, columns: 2 },
      first: 0,
      stride: 3,
    })
    expect(got.rows).toBeClose(gridRef(layers, p, [map0, map1], D))
    expectGradients(
      ({ map0, map1, ...p }) =>
        gridRef(layers, p, [map0!, map1!], D).reduce((sum, y, i) => sum + y * dy[i]!, 0),
      { ...p, map0, map1 },
      got.gradients,
    )
  })

  test('one tower’s rows have the same gradients', async () => {
    const rows = { visionWidth: 14, textWidth: D, activation: 'gelu', bias: true } as const
    const configured = perRow(await rowConnector(type), rows)
    const p = randomParameters(configured.params())
    const { map0, dy } = seeded({ map0: [5, 14], dy: [5, D] }, 4)
    const got = await trainOn(configured, p, [map0], tall, dy)
    const own = layers.map((_, i) => `linear_${i + 1}`)
    expect(got.rows).toBeClose(stackRef(own, p, map0, 14))
    expectGradients(
      ({ map0, ...p }) => Array.from(stackRef(own, p, map0!, 14)).reduce((sum, y, i) => sum + y * dy[i]!, 0),
      { ...p, map0 },
      got.gradients,
    )
  })
})
