import { expect, test } from 'vitest'
import { HostMemoryMeter } from './host-memory'

test('the meter sees memory that was in use between two looks', async () => {
  const meter = new HostMemoryMeter()
  const before = meter.peakBytes
  // Touched, so that the pages exist.
  const block = new Uint8Array(200 << 20).fill(1)
  await new Promise((done) => setTimeout(done, 50))
  expect(block[block.length - 1]).toBe(1)
  meter.stop()
  expect(meter.peakBytes - before).toBeGreaterThan(150 << 20)
  expect(meter.peakBytes - before).toBeLessThan(400 << 20)
})
