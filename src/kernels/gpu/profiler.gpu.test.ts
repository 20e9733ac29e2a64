import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { add, addInto } from '../add/add'
import { matmul } from '../matmul/matmul'
import { testInstance } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import type { Tensor } from '../tensor'
import { createWeight, type Weight } from '../weight'
import { openGpu, type Gpu } from './device'
import { Encoder } from './encoder'
import { Arena, createTensor, uploadTensor } from './memory'
import { Profiler } from './profiler'

const SIDE = 256

describe.each([
  ['timestamp queries', {}],
  ['waits', { timestampQuery: false }],
])('profiling by %s', (_, restrict) => {
  let gpu: Gpu
  let arena: Arena
  let zeros: Weight
  const { x } = seeded({ x: [SIDE, SIDE] })
  beforeAll(async () => {
    gpu = await openGpu(testInstance, restrict)
    arena = new Arena(gpu)
    zeros = createWeight(gpu, 'zeros', SIDE, SIDE, 'f32')
  })
  afterAll(() => gpu.destroy())

  /** y = 2x in a step of three dispatches, from a buffer that is destroyed behind it. Returns: y. */
  async function run(): Promise<Float32Array> {
    const enc = new Encoder(gpu, arena, 'test')
    const y = createTensor(gpu, 'y', [SIDE, SIDE])
    const input = uploadTensor(gpu, 'x', [SIDE, SIDE], new Float32Array(SIDE * SIDE))
    gpu.profiler?.enter('sum')
    enc.upload(input, x)
    const sum = add(enc, input, enc.constant(new Float32Array(SIDE * SIDE), [SIDE, SIDE]))
    addInto(enc, sum, input)
    gpu.profiler?.enter('product')
    enc.copy(matmul(enc, sum, zeros, { residual: sum }), y)
    enc.end()
    gpu.destroyBuffer(input.buffer)
    const profile = await gpu.profiler?.stop()
    if (profile) profiles.push(profile)
    const values = await enc.read(y)
    gpu.destroyBuffer(y.buffer)
    return values
  }
  const profiles: Awaited<ReturnType<Profiler['stop']>>[] = []

  test('sums time by kernel and changes no value', async () => {
    const before = gpu.allocatedBytes
    const plain = await run()
    expect(plain).toEqual(x.map((value) => 2 * value))

    Profiler.start(gpu)
    const started = performance.now()
    expect(await run()).toEqual(plain)
    const elapsedMs = performance.now() - started
    const [sum, product] = profiles[0]!
    expect(profiles[0]).toHaveLength(2)
    expect(sum).toMatchObject({ part: 'sum', steps: 1 })
    const names = sum!.kernels.map(({ kernel, dispatches, flops }) => ({ kernel, dispatches, flops }))
    expect(names.sort((a, b) => a.kernel.localeCompare(b.kernel))).toEqual([
      { kernel: 'add', dispatches: 1, flops: 0 },
      { kernel: 'add-into', dispatches: 1, flops: 0 },
    ])
    const multiplied = product!.kernels.find(({ flops }) => flops > 0)!
    expect(multiplied.kernel).toMatch(/^matmul-/)
    expect(multiplied.flops).toBe(2 * SIDE ** 3)
    const total = [...sum!.kernels, ...product!.kernels].reduce((total, { ms }) => total + ms, 0)
    expect(total).toBeGreaterThan(0)
    expect(total).toBeLessThan(elapsedMs)
    expect(gpu.profiler).toBeUndefined()
    arena.trim()
    expect(gpu.allocatedBytes - before).toBeLessThan(1e6)
  })

  test('off, it records nothing and makes no pass', async () => {
    const made = vi.spyOn(gpu.device, 'createQuerySet')
    const passes = vi.spyOn(GPUCommandEncoder.prototype, 'beginComputePass')
    await run()
    // constant() submits what was recorded before it, copy() ends a pass.
    const off = passes.mock.calls.length
    expect(passes.mock.calls.every(([descriptor]) => descriptor?.timestampWrites === undefined)).toBe(true)
    passes.mockClear()
    Profiler.start(gpu)
    await run()
    expect(passes.mock.calls.length).toBeGreaterThan(off)
    expect(made.mock.calls.length).toBe(gpu.caps.timestampQuery ? 1 : 0)
    vi.restoreAllMocks()
  })

  test('more passes than one batch of timestamps holds are all timed', async () => {
    const enc = new Encoder(gpu, arena, 'test')
    const [x, y] = ['x', 'y'].map((name) => uploadTensor(gpu, name, [4], new Float32Array(4))) as [
      Tensor,
      Tensor,
    ]
    const profiler = Profiler.start(gpu)
    profiler.enter('many')
    for (let i = 0; i < 300; i++) addInto(enc, x, y)
    enc.end()
    const [many] = await profiler.stop()
    expect(many!.kernels).toMatchObject([{ kernel: 'add-into', dispatches: 300 }])
    expect(many!.kernels[0]!.ms).toBeGreaterThan(0)
    for (const { buffer } of [x, y]) gpu.destroyBuffer(buffer)
  })

  test('what is not part of anything is not timed', async () => {
    const profiler = Profiler.start(gpu)
    const enc = new Encoder(gpu, arena, 'test')
    add(enc, enc.temp([4]), enc.temp([4]))
    enc.end()
    expect(await profiler.stop()).toEqual([])
  })
})
