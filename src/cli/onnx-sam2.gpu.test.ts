import { readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { Arena, Encoder, uploadTensor } from '../kernels'
import { testGpu } from '../kernels/testing/gpu'
import { createCodecs } from '../model/image/codecs'
import { decodeImage } from '../model/image/decode'
import { preprocess } from '../model/image/preprocess'
import { parseImageProcessor } from '../model/image/processor'
import { sam2Encoder } from '../model/onnx/testing/sam2'
import { onnx } from '../model/vision/onnx'
import { nodeCodecLoader } from './codecs-node'
import { openNodeOnnxRuntime } from './onnx-node'

const OUTPUTS = [
  { name: 'high_res_feats_0', layout: 'nchw', size: 256, width: 32 },
  { name: 'high_res_feats_1', layout: 'nchw', size: 128, width: 64 },
  { name: 'image_embed', layout: 'nchw', size: 64, width: 256 },
]

/** As SAM 2 takes pictures: stretched to a square, normalised. Source: sam2/utils/transforms.py. */
const PROCESSOR = {
  image_processor_type: 'SiglipImageProcessor',
  do_resize: true,
  size: { height: 1024, width: 1024 },
  resample: 2,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.485, 0.456, 0.406],
  image_std: [0.229, 0.224, 0.225],
}

// TRILOBITE_WHOLE=1 runs it: two engines take 20 s of two processors each for a picture. What is ours, rows from planes, is
// compared with a small encoder in onnx-node.gpu.test.ts.
// On the CPU engine: the WebGPU one takes minutes over software adapters, and gives wrong values there.
test.runIf(process.env['TRILOBITE_WHOLE'] === '1')(
  'SAM 2 Hiera-tiny gives a pyramid of rows from a photo',
  async ({ skip }) => {
    const bytes = sam2Encoder()
    if (typeof bytes === 'string') return skip(bytes)
    const config = {
      model_type: 'onnx',
      file: 'encoder.ort',
      image_size: 1024,
      engine: 'cpu',
      outputs: OUTPUTS,
    }
    const tower = onnx.configure(config, 'config.json:')
    expect(tower.config).toMatchObject({ hiddenSize: 352, patchTokens: 65536 })

    const photo = readFileSync(new URL('../../e2e/samples/08-scene.png', import.meta.url))
    const picture = await decodeImage(new Uint8Array(photo), createCodecs(nodeCodecLoader))
    const { pixels } = preprocess(picture, parseImageProcessor(PROCESSOR))
    const shape = [1, 3, 1024, 1024]

    const session = await InferenceSession.create(bytes, { executionProviders: ['cpu'] })
    const want = await session.run({ image: new Tensor('float32', pixels, shape) })
    await session.release()

    const gpu = await testGpu()
    const arena = new Arena(gpu)
    const enc = new Encoder(gpu, arena, 'sam2')
    const file = { name: 'sam2: encoder.ort', bytes, externalData: [] }
    const host = { gpu, onnx: await openNodeOnnxRuntime() }
    const running = await tower.external.open(file, { depth: tower.config.layers }, host)
    const input = uploadTensor(gpu, 'pixels', shape, pixels)
    try {
      const maps = await running.features(enc, input)
      expect(maps.map(({ shape }) => shape)).toEqual(OUTPUTS.map(({ size, width }) => [size * size, width]))
      for (const [i, { name, size, width }] of OUTPUTS.entries()) {
        const planes = want[name]!.data as Float32Array
        const cells = size * size
        const rows = Float32Array.from(
          planes,
          (_, at) => planes[(at % width) * cells + Math.floor(at / width)]!,
        )
        expect(await enc.read(maps[i]!), name).toBeClose(rows, { rtol: 1e-5 })
      }
    } finally {
      enc.end()
      running.destroy?.()
      gpu.destroyBuffer(input.buffer)
      arena.destroy()
      await gpu.check()
    }
  },
  300_000,
)
