import { expect, test } from 'vitest'
import { add } from '../add/add'
import { testGpu } from '../testing/gpu'
import { Encoder } from './encoder'
import { Arena } from './memory'

test('collecting a recording takes no memory for its temporaries', async () => {
  const gpu = await testGpu()
  const arena = new Arena(gpu)
  const before = gpu.allocatedBytes
  const variants = Encoder.collect(gpu, arena, (enc) => {
    const x = enc.temp([1024, 1024])
    const y = enc.temp([1024, 1024])
    expect(y.buffer).not.toBe(x.buffer)
    add(enc, x, y)
    expect(gpu.allocatedBytes - before).toBeLessThan(4096)
  })
  expect(variants.map(({ spec }) => spec.name)).toEqual(['add'])
  arena.destroy()
  expect(gpu.allocatedBytes).toBe(before)
})
