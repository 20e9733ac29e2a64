import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { seeded, shaped } from '../testing/numbers'
import { softmax, softmaxBackward } from './softmax'
import { softmaxCases } from './softmax.cases'
import { softmaxBackwardRef, softmaxRef } from './softmax.ref'

describe('softmax', () => {
  test.each(softmaxCases)('matches the oracle for [$rows, $C]', async ({ rows, C }) => {
    const { x, dy } = seeded({ x: [rows, C], dy: [rows, C] })
    x.forEach((value, i) => (x[i] = value * 4))
    const got = await onGpu({ x, dy }, (enc, t) => {
      const y = softmax(enc, t.x)
      return { y, dx: softmaxBackward(enc, t.dy, y) }
    })
    const want = softmaxRef(x, C)
    expect(got.y).toBeClose(want)
    expect(got.dx).toBeClose(softmaxBackwardRef(dy, want, C))
  })

  test.each([7, 64, 1028])('gives -inf no weight and a row of -inf zeros, width %i', async (C) => {
    const { x, dy } = seeded({ x: [4, C], dy: [4, C] })
    x.fill(-Infinity, 0, C)
    for (let c = C; c < 4 * C; c++) if (c % 3) x[c] = -Infinity
    const got = await onGpu({ x, dy }, (enc, t) => {
      const y = softmax(enc, t.x)
      return { y, dx: softmaxBackward(enc, t.dy, y) }
    })
    const want = softmaxRef(x, C)
    expect(got.y).toBeClose(want)
    x.forEach((value, i) => {
      if (value === -Infinity) expect(got.y[i]).toBe(0)
    })
    expect(got.dx).toBeClose(softmaxBackwardRef(dy, want, C))
  })

  test('neither overflows nor loses the small beside the large', async () => {
    const x = shaped(Float32Array.of(1e30, 0, -1e30, 5, 3e4, 3e4 - 1, 3e4 - 2, -3e4), [2, 4])
    const got = await onGpu({ x }, (enc, t) => ({ y: softmax(enc, t.x) }))
    expect(got.y).toBeClose(softmaxRef(x, 4))
  })

  test('refuses a gradient of another shape', async () => {
    const { y, dy } = seeded({ y: [2, 8], dy: [2, 7] })
    await expect(onGpu({ y, dy }, (enc, t) => ({ dx: softmaxBackward(enc, t.dy, t.y) }))).rejects.toThrow(
      'softmax-backward: dy should be [2, 8] but is [2, 7]',
    )
  })
})
