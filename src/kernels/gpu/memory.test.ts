import { expect, test } from 'vitest'
import type { Gpu } from './device'
import { Arena, sizeClass } from './memory'

const MIB = 2 ** 20

/** An arena on a device that only counts, and a step that has buffers of so many MiB at once. */
function countingArena() {
  const alive = new Set<GPUBuffer>()
  const gpu = {
    createBuffer(label: string, size: number) {
      const buffer = { label, size } as GPUBuffer
      alive.add(buffer)
      return buffer
    },
    destroyBuffer: (buffer: GPUBuffer) => void alive.delete(buffer),
    isAlive: (buffer: GPUBuffer) => alive.has(buffer),
  }
  const arena = new Arena(gpu as unknown as Gpu)
  return {
    arena,
    take: (mib: number) => arena.take('test', mib * MIB),
    step(...sizes: number[]) {
      const taken = sizes.map((mib) => arena.take('test', mib * MIB))
      for (const buffer of taken) arena.give(buffer)
    },
    /** MiB the device holds. */
    held: () => [...alive].reduce((sum, { size }) => sum + size, 0) / MIB,
  }
}

test('sizes are rounded up by a quarter at most', () => {
  expect([0, 256, 257, 4096, 4097, 5121, 6145, 7169].map(sizeClass)).toEqual([
    256, 256, 320, 4096, 5120, 6144, 7168, 8192,
  ])
})

test('a repeated step gets the very same buffers', () => {
  const { arena, take, held } = countingArena()
  const first = take(10)
  arena.give(first)
  expect(take(9.9)).toBe(first)
  expect(held()).toBe(10)
})

test('leftovers of other sizes are freed where they are half as much again as the last steps had, and 64 MiB', () => {
  const { arena, step, held } = countingArena()
  step(160)
  step(64)
  arena.trimLeftovers()
  // These steps had 160 MiB at once, and 64 are left over: not more.
  expect(held()).toBe(224)
  step(64)
  arena.trimLeftovers()
  // Since the last call they had 64.
  expect(held()).toBe(0)
})

test('leftovers below 64 MiB stay, however little the last steps needed', () => {
  const { arena, step, held } = countingArena()
  step(64)
  arena.trimLeftovers()
  step(1)
  arena.trimLeftovers()
  expect(held()).toBe(65)
  step(1, 1)
  arena.trimLeftovers()
  expect(held()).toBe(66)
  step(1)
  arena.trimLeftovers()
  expect(held()).toBe(0)
})

test('leftovers of less than half of what is needed stay, however many MiB they are', () => {
  const { arena, step, held } = countingArena()
  step(224, 32)
  step(80)
  step(40)
  arena.trimLeftovers()
  expect(held()).toBe(376)
  step(224, 32)
  arena.trimLeftovers()
  expect(held()).toBe(376)
  step(20)
  step(224, 32)
  arena.trimLeftovers()
  expect(held()).toBe(0)
})

test('buffers in use stay, and count as needed until they are given back', () => {
  const { arena, take, step, held } = countingArena()
  const kept = take(32)
  step(128)
  arena.trimLeftovers()
  arena.trimLeftovers()
  expect(held()).toBe(32)
  step(64)
  arena.trimLeftovers()
  expect(held()).toBe(96)
  arena.give(kept)
  expect(take(32)).toBe(kept)
  arena.destroy()
  expect(held()).toBe(0)
})

test('steps of ever other sizes hold a bounded amount', () => {
  const { arena, step, held } = countingArena()
  for (let i = 0; i < 200; i++) {
    step(40 + ((i * 37) % 100), 30)
    arena.trimLeftovers()
    // The largest step is of 192 MiB in its classes.
    expect(held()).toBeLessThanOrEqual(1.5 * 192)
  }
})
