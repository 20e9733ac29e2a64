import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { testGpu } from '../kernels/testing/gpu'
import { sharedEngine } from './testing/engines'
import { loadSmall, smallQuestion } from './testing/small-work'

/** What is counted does not depend on the adapter. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

const CYCLES = 100
/** What a cycle may leave on the heap: a model's tokenizer and configuration alone are some hundred KB. */
const GROWTH_BYTES = 20_000

/** Bytes of the heap in use once everything that can be collected was. */
async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Finalisers of what was collected let go of more.
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test.skipIf(isSlow)(`${CYCLES} times loading, asking and unloading leave nothing behind`, async () => {
  const gpu = await testGpu()
  const engine = sharedEngine()
  const cycle = async () => {
    await loadSmall(engine)
    await engine.ask({ ...smallQuestion(), maxNewTokens: 2 }, () => {})
    await engine.unload()
  }
  for (let warming = 0; warming < 10; warming++) await cycle()
  const before = { buffers: gpu.bufferCount, bytes: gpu.allocatedBytes }
  const heapBefore = await heapBytes()
  for (let n = 0; n < CYCLES; n++) {
    await cycle()
    expect({ buffers: gpu.bufferCount, bytes: gpu.allocatedBytes }).toEqual(before)
  }
  const grown = ((await heapBytes()) - heapBefore) / CYCLES
  expect(grown).toBeLessThan(GROWTH_BYTES)
  // The device's own: parameters of kernels.
  expect(before.buffers).toBeLessThanOrEqual(1)
})
