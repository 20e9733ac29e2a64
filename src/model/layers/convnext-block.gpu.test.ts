import { expect, test } from 'vitest'
import { Arena, Encoder, uploadTensor } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import { seeded } from '../../kernels/testing/numbers'
import { under } from '../parameters'
import { storeFrom } from '../testing/store'
import { ConvNextBlock, convNextBlockSpecs, type ConvNextBlockConfig } from './convnext-block'

const C = 12
const SIZE = { batch: 1, height: 15, width: 17 }
const config: ConvNextBlockConfig = {
  width: C,
  layerNormEps: 1e-6,
  activation: 'gelu',
  convMlp: false,
  names: { depthwise: 'conv_dw', norm: 'norm', up: 'mlp.fc1', down: 'mlp.fc2', scale: 'gamma' },
}

/** A block's output on random weights. Returns: also how many dispatches it took. */
async function run(block: ConvNextBlockConfig, hiddenBytes?: number) {
  const gpu = await testGpu()
  const arena = new Arena(gpu)
  const specs = under('block', convNextBlockSpecs(block))
  const weights = storeFrom(gpu, arena, specs, (name) => seeded({ [name]: specs[name]!.shape })[name]!)
  const { data } = seeded({ data: [SIZE.height * SIZE.width, C] }, 2)
  const x = uploadTensor(gpu, 'x', data.shape, data)
  const enc = new Encoder(gpu, arena, 'block')
  try {
    const y = new ConvNextBlock(block, weights.at('block'), hiddenBytes).forward(enc, x, SIZE)
    return { y: await enc.read(y), isInPlace: y === x, dispatches: enc.dispatches }
  } finally {
    enc.end()
    gpu.destroyBuffer(x.buffer)
    weights.destroy()
    arena.destroy()
  }
}

test('tiles of rows make the map that one piece makes', async () => {
  const whole = await run(config)
  // Four tiles: 255 rows, of which 64 start where a binding may on the strictest device.
  const tiled = await run(config, 64 * 4 * C * 4)
  expect(whole.isInPlace).toBe(false)
  expect(tiled.isInPlace).toBe(true)
  expect(tiled.dispatches).toBeGreaterThan(whole.dispatches)
  expect(tiled.y).toBeClose(whole.y, { atol: 1e-5, rtol: 0 })
})

test('layers stored as convolutions multiply alike', async () => {
  expect((await run({ ...config, convMlp: true })).y).toEqual((await run(config)).y)
})
