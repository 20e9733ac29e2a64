import { describe, expect, test } from 'vitest'
import { embedPatchesRef, patchifyRef, spaceToDepthRef } from './patch-embed.ref'

describe('patch-embed oracle', () => {
  test('cuts in the order c, y, x and drops what is no whole patch', () => {
    const pixels = Array.from({ length: 2 * 3 * 5 }, (_, i) => i)
    expect([...patchifyRef(pixels, [1, 2, 3, 5], 2)]).toEqual([
      0, 1, 5, 6, 15, 16, 20, 21, 2, 3, 7, 8, 17, 18, 22, 23,
    ])
  })

  test('lays blocks out in the order c, y, x and drops what is no whole block', () => {
    // Two channels, 10 apart; a map of 2 x 3 cells.
    const x = [1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16]
    const sizes = { batch: 1, height: 2, width: 3, block: 2 }
    expect([...spaceToDepthRef(x, sizes)]).toEqual([1, 2, 4, 5, 11, 12, 14, 15])
  })

  test('puts the class token before each picture', () => {
    expect([...embedPatchesRef([1, 2, 3, 4], [10, 20, 30], 1, [9])]).toEqual([19, 21, 32, 19, 23, 34])
    expect([...embedPatchesRef([1, 2, 3, 4], [10, 20], 1)]).toEqual([11, 22, 13, 24])
  })
})
