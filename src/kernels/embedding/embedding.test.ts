import { expect, test } from 'vitest'
import { embeddingRef, unpackTableRef } from './embedding.ref'

test('embedding oracle: gathers, scales, and gives zeros for ids the table lacks', () => {
  expect([...embeddingRef([1, 2, 0], [1, 2, 3, 4], 2, 10)]).toEqual([30, 40, 0, 0, 10, 20])
})

test('layout oracle: reads each dtype as kernels/weight.ts describes it', () => {
  const words = (first: number) => Uint32Array.from({ length: 32 }, (_, i) => (i ? 0 : first))
  const none = new Uint32Array(0)
  expect([...unpackTableRef('f32', words(0xc0200000), none, 1, 1)]).toEqual([-2.5])
  expect([...unpackTableRef('f16', words(0xc1003c00), none, 1, 2)]).toEqual([1, -2.5])
  expect([...unpackTableRef('bf16', words(0xc0203f80), none, 1, 2)]).toEqual([1, -2.5])
  const half = Uint32Array.of(0x3f000000)
  expect([...unpackTableRef('q8', words(0x8002ff7f), half, 1, 4)]).toEqual([63.5, -0.5, 1, -64])
  const pair = Uint32Array.of(0xc1003800) // scale 0.5, min -2.5
  expect([...unpackTableRef('q4', words(0xf1), pair, 1, 2)]).toEqual([-2, 5])
})
