import { createTensor } from '../../src/kernels'
import { defineKernel } from '../../src/kernels/gpu/kernel'
import wgsl from './multiply-add.wgsl?raw'
import type { Bench } from './subject'

const kernel = defineKernel({
  name: 'multiply-add',
  wgsl,
  bindings: { y: 'write' },
  params: { steps: 'u32', factor: 'f32' },
})

const WG = 64
const CHAINS = 8 * 4
const REPEATS = 3

export interface Limits {
  /** Bytes read plus bytes written, in GB/s. */
  readonly copyGBps: number
  /** The best of f32 and f16, in GFLOP/s. */
  readonly gflops: number
}

/** What the adapter can do at best: copies of buffers, and multiply-adds on registers. */
export async function measureLimits({ gpu, enc }: Bench): Promise<Limits> {
  const bytes = Math.min(
    256 * 2 ** 20,
    gpu.caps.maxBufferBytes,
    gpu.caps.isSoftware ? 64 * 2 ** 20 : Infinity,
  )
  const from = createTensor(gpu, 'copied', [bytes / 4])
  const to = createTensor(gpu, 'copy', [bytes / 4])
  const copyMs = await bestTime(async () => {
    enc.copy(from, to)
    enc.end()
    await gpu.finish()
  })
  gpu.destroyBuffer(from.buffer)
  gpu.destroyBuffer(to.buffer)

  const groups = gpu.caps.isSoftware ? 64 : 4096
  const steps = gpu.caps.isSoftware ? 2000 : 20_000
  const y = createTensor(gpu, 'y', [groups * WG])
  let gflops = 0
  for (const Elem of gpu.caps.shaderF16 ? ['f32', 'f16'] : ['f32']) {
    const ms = await bestTime(async () => {
      enc.dispatch(kernel.as({ WG, Elem }), { y }, { steps, factor: 0.999 }, { groups })
      enc.end()
      await gpu.finish()
    })
    gflops = Math.max(gflops, (2 * groups * WG * CHAINS * steps) / ms / 1e6)
  }
  gpu.destroyBuffer(y.buffer)
  return { copyGBps: (2 * bytes) / copyMs / 1e6, gflops }
}

/** The shortest of a few runs; the first warms up. */
async function bestTime(run: () => Promise<void>): Promise<number> {
  await run()
  let best = Infinity
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now()
    await run()
    best = Math.min(best, performance.now() - started)
  }
  return best
}
