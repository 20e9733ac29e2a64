import { afterAll, expect, test } from 'vitest'
import { matmulRef } from '../kernels/matmul/matmul.ref'
import { seeded } from '../kernels/testing/numbers'
import type { JsonObject } from '../model/config-reader'
import { COARSE, FINE, fineConfig, SIDE, smallEncoder } from '../model/onnx/testing/small-encoder'
import { golden, request } from '../worker/testing/asking'
import { sharedEngine } from '../worker/testing/engines'
import { rewritten } from '../worker/testing/rewritten'
import { openNodeOnnxRuntime } from './onnx-node'

const TEXT_WIDTH = 96
const small = smallEncoder()
const { linear_1: first } = seeded({ linear_1: [TEXT_WIDTH, FINE.width] }, 11)

/** The golden LLaVA with a small ONNX encoder in place of its tower, and a connector as wide as that. */
const model = (vision: JsonObject) => {
  const read: Record<string, Float32Array<ArrayBuffer>> = {}
  const source = rewritten(golden, {
    config: (config) => ({
      ...config,
      vision_config: vision,
      vision_feature_layer: -1,
      vision_feature_select_strategy: 'full',
    }),
    rename: (key) => (key.startsWith('vision_tower.') ? undefined : key),
    tensors(tensors) {
      for (const tensor of tensors) {
        if (!tensor.name.startsWith('multi_modal_projector.')) continue
        if (tensor.name.endsWith('linear_1.weight')) {
          tensor.shape = [TEXT_WIDTH, FINE.width]
          tensor.data = new Uint8Array(first.buffer)
        }
        read[tensor.name.replace('multi_modal_projector.', '')] = new Float32Array(tensor.data.buffer)
      }
    },
    files: {
      ...Object.fromEntries(small.contents),
      'preprocessor_config.json': JSON.stringify({
        image_processor_type: 'CLIPImageProcessor',
        size: { shortest_edge: SIDE },
        crop_size: { height: SIDE, width: SIDE },
      }),
    },
  })
  return { source, connector: read }
}

const engine = sharedEngine({ onnx: openNodeOnnxRuntime })
afterAll(() => engine.unload())
const load = (vision: JsonObject) =>
  engine.loadFrom(model(vision).source, { dtype: 'f32', contextLength: 256 }, () => {})

test('a model with an ONNX encoder as its tower computes what float64 does, and answers', async () => {
  const { source, connector } = model(fineConfig)
  const plan = await engine.planFrom(source, { dtype: 'f32' })
  const bytes = [...small.contents.values()].reduce((sum, { length }) => sum + length, 0)
  expect(plan.towers).toMatchObject([{ name: 'onnx', fileBytes: bytes, resident: true }])
  expect(plan.files.map(({ path }) => path)).toEqual([
    'model.safetensors',
    'memory/small.onnx',
    'memory/small.onnx.data',
  ])
  const info = await engine.loadFrom(source, { dtype: 'f32', contextLength: 256 }, () => {})
  expect(info.imageTokens).toBe(FINE.side ** 2)
  expect(info.notes.join()).toMatch(/CPU/)
  const tensors = await engine.debugForward(request())
  const rows = small.rows(tensors['pixel_values']!.data).fine
  expect(tensors['vision_features']!.data).toBeClose(rows)
  const layer = (name: string, x: ArrayLike<number>, K: number, activation?: 'gelu') =>
    matmulRef(x, connector[`${name}.weight`]!, K, { bias: connector[`${name}.bias`], activation })
  const want = layer('linear_2', layer('linear_1', rows, FINE.width, 'gelu'), TEXT_WIDTH)
  expect(tensors['connector_output']!.data).toBeClose(want)
  const reply = await engine.ask(request({}, 4), () => {})
  expect(reply.tokenIds).toHaveLength(4)
  expect(reply.imageTokens).toBe(FINE.side ** 2)
})

test('a pyramid joins its maps on the finest grid', async () => {
  const {
    output: _output,
    output_layout: _layout,
    output_size: _size,
    hidden_size: _width,
    ...rest
  } = fineConfig
  const vision: JsonObject = {
    ...rest,
    outputs: [
      { name: 'fine', layout: 'nchw', size: FINE.side, width: FINE.width },
      { name: 'coarse', layout: 'nchw', size: COARSE.side, width: COARSE.width },
    ],
  }
  // The connector is as wide as the finer map alone.
  await expect(load(vision)).rejects.toThrow(/linear_1\.weight: expected \[96, 20\]/)
})

test('errors name what is wrong, and the next load works', async () => {
  await expect(load({ ...fineConfig, file: 'absent.onnx' })).rejects.toThrow(/absent\.onnx was not found/)
  await expect(load({ ...fineConfig, output: 'absent' })).rejects.toThrow(/has no output "absent"/)
  const without = sharedEngine()
  await expect(
    without.loadFrom(model(fineConfig).source, { dtype: 'f32', contextLength: 256 }, () => {}),
  ).rejects.toThrow(/no engine for those/)
  await load(fineConfig)
  expect((await engine.ask(request({}, 2), () => {})).tokenIds).toHaveLength(2)
})
