import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mlp3x } from '../../../docs/examples/mlp3x'
import { Arena, Encoder, uploadTensor } from '../../kernels'
import { matmulRef } from '../../kernels/matmul/matmul.ref'
import { testGpu } from '../../kernels/testing/gpu'
import { seeded } from '../../kernels/testing/numbers'
import { openModel } from '../checkpoint-files'
import { writeSafetensors } from '../checkpoint/safetensors-writer'
import { memorySource } from '../checkpoint/testing/memory-source'
import type { JsonObject } from '../config-reader'
import { blueprintSpecs, type FamilySlot } from '../family/definition'
import { llava } from '../family/llava'
import { loadWeights } from '../load-weights'
import { Vlm } from '../vlm'
import type { ConnectorSlot } from './definition'
import { connectors } from './index'

const family: FamilySlot = llava
const registry = connectors as Record<string, () => Promise<ConnectorSlot>>
const golden = (file: string) =>
  readFileSync(new URL(`../../../e2e/golden/llava-clip-llama/checkpoint/${file}`, import.meta.url), 'utf8')
const config = {
  ...(JSON.parse(golden('config.json')) as JsonObject),
  mm_projector_type: 'mlp3x_gelu',
}

beforeEach(() => void (registry['mlp3x_gelu'] = async () => mlp3x))
afterEach(() => void delete registry['mlp3x_gelu'])

const PREFIX = {
  vision: 'vision_tower.vision_model',
  connector: 'multi_modal_projector',
  language: 'language_model',
}

/** Random values for every parameter, under the checkpoint's keys. */
async function randomCheckpoint() {
  const specs = blueprintSpecs(await family.blueprint(config))
  const shapes = Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, shape]))
  return new Map(
    Object.entries(seeded(shapes)).map(([name, values]) => {
      const [part, ...rest] = name.split('.')
      return [`${PREFIX[part as keyof typeof PREFIX]}.${rest.join('.')}`, values] as const
    }),
  )
}

function sourceOf(tensors: Awaited<ReturnType<typeof randomCheckpoint>>) {
  const entries = [...tensors].map(([name, values]) => ({
    name,
    dtype: 'F32' as const,
    shape: values.shape,
    data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  }))
  return memorySource({
    'config.json': JSON.stringify(config),
    'preprocessor_config.json': golden('preprocessor_config.json'),
    'model.safetensors': Buffer.concat(writeSafetensors(entries)),
  })
}

test('a checkpoint with the connector of docs/adding-a-model.md loads and computes what float64 does', async () => {
  const gpu = await testGpu()
  const tensors = await randomCheckpoint()
  const opened = await openModel(sourceOf(tensors))
  expect(opened.blueprint.architecture).toBe('llava (clip_vision_model, mlp3x_gelu, llama)')
  const arena = new Arena(gpu)
  const weights = await loadWeights(gpu, arena, opened, 'f32')
  const vlm = new Vlm(gpu, arena, opened.blueprint, weights)
  const { x } = seeded({ x: [37, 64] }, 5)
  const features = uploadTensor(gpu, 'features', x.shape, x)
  const enc = new Encoder(gpu, arena, 'test')
  try {
    const rows = vlm.connector!.join(enc, [features], { width: 1, height: 1 })
    expect(rows.shape).toEqual([37, 96])
    const layer = (name: string, y: ArrayLike<number>, K: number, activation?: 'gelu') => {
      const at = `multi_modal_projector.${name}`
      return matmulRef(y, tensors.get(`${at}.weight`)!, K, { bias: tensors.get(`${at}.bias`), activation })
    }
    const hidden = layer('linear_2', layer('linear_1', x, 64, 'gelu'), 96, 'gelu')
    expect(await enc.read(rows)).toBeClose(layer('linear_3', hidden, 96))
    await gpu.check()
  } finally {
    enc.end()
    vlm.destroy()
    gpu.destroyBuffer(features.buffer)
  }
})

test('a checkpoint without its third layer is refused by the names that are missing', async () => {
  const tensors = await randomCheckpoint()
  tensors.delete('multi_modal_projector.linear_3.weight')
  await expect(openModel(sourceOf(tensors))).rejects.toThrow(/linear_3\.weight/)
})

test('an unregistered connector is refused by a list of those known', async () => {
  delete registry['mlp3x_gelu']
  await expect(family.blueprint(config)).rejects.toThrow(/"mlp3x_gelu" is not known; known are .*mlp2x_gelu/)
})
