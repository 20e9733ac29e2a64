import { expect, test } from 'vitest'
import { ProductBench } from './product-bench'
import { ProductTuner, TUNED_PRODUCTS } from './product-tuner'
import { withCaps } from './testing/caps'
import { testGpu } from './testing/gpu'
import { PRODUCT_CLASSES, productClass, readTuning, TUNING_VERSION } from './tuning'

// Which form wins on an adapter in software means nothing: that one does, and what is left behind, does.
const products = [
  { dtype: 'q8', M: 40, N: 64, K: 64 },
  { dtype: 'f16', M: 10, N: 64, K: 32 },
] as const

test('there is one product to measure for each class', () => {
  const classes = TUNED_PRODUCTS.map(({ M, N, dtype }) => productClass(M, N, dtype))
  expect(classes.sort()).toEqual([...PRODUCT_CLASSES].sort())
})

test('measures products on the device, and leaves no memory behind', () =>
  withCaps({ isSoftware: false }, async () => {
    const gpu = await testGpu()
    const tuner = new ProductTuner(gpu, products)
    const stopped = new AbortController()
    const { time } = ProductBench.prototype
    const timed: string[] = []
    ProductBench.prototype.time = async function (form) {
      timed.push(form)
      if (timed.length === 3) stopped.abort()
      return time.call(this, form)
    }
    try {
      // The encoder's own buffers come with its first commands, and stay.
      await expect(tuner.run(stopped.signal)).rejects.toThrow('aborted')
      const before = gpu.allocatedBytes
      expect(timed).toEqual(['rows4', 'rows2', 'packed'])
      const tuning = await tuner.run(new AbortController().signal)
      expect(tuning.version).toBe(TUNING_VERSION)
      expect(readTuning(JSON.parse(JSON.stringify(tuning)), gpu.caps)).toEqual(tuning)
      expect(Object.keys(tuning.products).filter((name) => name !== 'q8 some')).toEqual([])
      // Nothing is measured twice.
      const count = timed.length
      expect(await tuner.run(new AbortController().signal)).toEqual(tuning)
      expect(timed.length).toBe(count)
      expect(gpu.allocatedBytes).toBe(before)
      await gpu.check()
    } finally {
      ProductBench.prototype.time = time
    }
  }))
