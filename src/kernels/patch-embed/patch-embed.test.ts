import { describe, expect, test } from 'vitest'
import { embedPatchesRef, patchifyRef } from './patch-embed.ref'

describe('patch-embed oracle', () => {
  test('cuts in the order c, y, x and drops what is no whole patch', () => {
    const pixels = Array.from({ length: 2 * 3 * 5 }, (_, i) => i)
    expect([...patchifyRef(pixels, [1, 2, 3, 5], 2)]).toEqual([
      0, 1, 5, 6, 15, 16, 20, 21, 2, 3, 7, 8, 17, 18, 22, 23,
    ])
  })

  test('puts the class token before each picture', () => {
    expect([...embedPatchesRef([1, 2, 3, 4], [10, 20, 30], 1, [9])]).toEqual([19, 21, 32, 19, 23, 34])
    expect([...embedPatchesRef([1, 2, 3, 4], [10, 20], 1)]).toEqual([11, 22, 13, 24])
  })
})
