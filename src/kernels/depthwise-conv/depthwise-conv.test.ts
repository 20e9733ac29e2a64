import { describe, expect, test } from 'vitest'
import { depthwiseConvRef } from './depthwise-conv.ref'

describe('depthwise-conv oracle', () => {
  const sizes = { batch: 1, height: 2, width: 3, kernel: 3 }

  test('a kernel with one tap shifts the map and lets zeros in', () => {
    // Two channels: the first takes its left neighbour, the second the row below plus 10.
    const weight = [0, 0, 0, 1, 0, 0, 0, 0, 0, /**/ 0, 0, 0, 0, 0, 0, 0, 1, 0]
    const x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    expect([...depthwiseConvRef(x, weight, [0, 10], sizes)]).toEqual([
      0, 18, 1, 20, 3, 22, 0, 10, 7, 10, 9, 10,
    ])
  })

  test('agrees with torch.nn.functional.conv2d', () => {
    // conv2d(arange(6).view(1, 1, 2, 3), arange(9).view(1, 1, 3, 3) - 4, bias=[0.5], padding=1)
    const weight = Array.from({ length: 9 }, (_, i) => i - 4)
    expect([...depthwiseConvRef([0, 1, 2, 3, 4, 5], weight, [0.5], sizes)]).toEqual([
      26.5, 40.5, 22.5, 2.5, -4.5, -13.5,
    ])
  })
})
