import { expect, test } from 'vitest'
import { Arena, Encoder, uploadTensor, type Tensor } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import { seeded } from '../../kernels/testing/numbers'
import { under, type ParameterSpecs, type Weights } from '../parameters'
import { storeFrom } from '../testing/store'
import { ConvNextBlock, convNextBlockSpecs, type ConvNextBlockConfig, type MapSize } from './convnext-block'
import { ConvNextShrink, convNextShrinkSpecs } from './convnext-shrink'

const C = 12
const SIZE = { batch: 1, height: 15, width: 17 }
const config: ConvNextBlockConfig = {
  width: C,
  layerNormEps: 1e-6,
  activation: 'gelu',
  convMlp: false,
  names: { depthwise: 'conv_dw', norm: 'norm', up: 'mlp.fc1', down: 'mlp.fc2', scale: 'gamma' },
}

/** The output of a part on random weights and maps. Returns: also how many dispatches it took. */
async function outputOf(
  part: ParameterSpecs,
  { batch, height, width }: MapSize,
  forward: (enc: Encoder, x: Tensor, weights: Weights) => Tensor,
) {
  const gpu = await testGpu()
  const arena = new Arena(gpu)
  const specs = under('part', part)
  const weights = storeFrom(gpu, arena, specs, (name) => seeded({ [name]: specs[name]!.shape })[name]!)
  const { data } = seeded({ data: [batch * height * width, C] }, 2)
  const x = uploadTensor(gpu, 'x', data.shape, data)
  const enc = new Encoder(gpu, arena, 'part')
  try {
    const y = forward(enc, x, weights.at('part'))
    return { y: await enc.read(y), isInPlace: y === x, dispatches: enc.dispatches }
  } finally {
    enc.end()
    gpu.destroyBuffer(x.buffer)
    weights.destroy()
    arena.destroy()
    await gpu.check()
  }
}

const run = (block: ConvNextBlockConfig, hiddenBytes?: number) =>
  outputOf(convNextBlockSpecs(block), SIZE, (enc, x, weights) =>
    new ConvNextBlock(block, weights, hiddenBytes).forward(enc, x, SIZE),
  )

test('tiles of rows make the map that one piece makes', async () => {
  const whole = await run(config)
  // Four tiles: 255 rows, of which every 64th starts where a binding may on the strictest device.
  const tiled = await run(config, 64 * 4 * C * 4)
  expect(whole.isInPlace).toBe(false)
  expect(tiled.isInPlace).toBe(true)
  expect(tiled.dispatches).toBeGreaterThan(whole.dispatches)
  expect(tiled.y).toBeClose(whole.y, { atol: 1e-5, rtol: 0 })
})

test.each([
  { size: { batch: 1, height: 33, width: 17 }, isTiled: true },
  { size: { batch: 3, height: 10, width: 16 }, isTiled: true },
  { size: { batch: 2, height: 11, width: 16 }, isTiled: false },
])('bands of $size are halved as the whole is', async ({ size, isTiled }) => {
  const names = { norm: 'norm', conv: 'conv' }
  const shrink = (normedBytes?: number) =>
    outputOf(convNextShrinkSpecs(C, 20, names), size, (enc, x, weights) =>
      new ConvNextShrink(names, 1e-6, weights, normedBytes).forward(enc, x, size),
    )
  const whole = await shrink()
  const tiled = await shrink(1)
  expect(tiled.dispatches > whole.dispatches).toBe(isTiled)
  expect(tiled.y).toBeClose(whole.y, { atol: 1e-5, rtol: 0 })
})

test('layers stored as convolutions multiply alike', async () => {
  expect((await run({ ...config, convMlp: true })).y).toEqual((await run(config)).y)
})
