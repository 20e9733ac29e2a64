import { expect, test } from 'vitest'
import { HostMemoryMeter } from './host-memory'

test('the meter sees memory that is in use only for a while', async () => {
  const meter = new HostMemoryMeter()
  const before = meter.peakBytes
  // Touched, so that the pages exist.
  let block: Uint8Array | undefined = new Uint8Array(200 << 20).fill(1)
  await new Promise((done) => setTimeout(done, 50))
  expect(block[block.length - 1]).toBe(1)
  block = undefined
  meter.stop()
  expect(meter.peakBytes - before).toBeGreaterThan(150 << 20)
  expect(meter.peakBytes - before).toBeLessThan(400 << 20)
})
