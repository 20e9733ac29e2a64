import { describe, expect, test } from 'vitest'
import type { Encoder } from '../gpu/encoder'
import type { Tensor } from '../tensor'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { depthwiseConv } from './depthwise-conv'
import { depthwiseConvCases } from './depthwise-conv.cases'
import { depthwiseConvRef } from './depthwise-conv.ref'

type Sizes = (typeof depthwiseConvCases)[number]

function inputs({ batch, height, width, kernel, C }: Sizes) {
  return seeded({ x: [batch * height * width, C], weight: [C, 1, kernel, kernel], bias: [C] })
}

describe('depthwise-conv', () => {
  test.each(depthwiseConvCases)(
    'matches the oracle for $batch maps of $height x $width x $C, kernel $kernel',
    async (sizes) => {
      const { x, weight, bias } = inputs(sizes)
      const got = await onGpu({ x, weight, bias }, (enc, t) => ({
        plain: depthwiseConv(enc, t.x, t.weight, undefined, sizes),
        shifted: depthwiseConv(enc, t.x, t.weight, t.bias, sizes),
      }))
      expect(got.plain).toBeClose(depthwiseConvRef(x, weight, undefined, sizes))
      expect(got.shifted).toBeClose(depthwiseConvRef(x, weight, bias, sizes))
    },
  )

  test('many short dispatches in folded grids make the same map', async () => {
    const sizes = { batch: 2, height: 13, width: 21, kernel: 7, C: 36 }
    const { x, weight, bias } = inputs(sizes)
    let dispatches = 0
    const got = await onGpu({ x, weight, bias }, (enc, t) => ({
      y: withGridLimit(enc.gpu, 3, () =>
        withFlopLimit(enc, 1e6, () => {
          const before = enc.dispatches
          const y: Tensor = depthwiseConv(enc, t.x, t.weight, t.bias, sizes)
          dispatches = enc.dispatches - before
          return y
        }),
      ),
    }))
    expect(dispatches).toBeGreaterThan(3)
    expect(got.y).toBeClose(depthwiseConvRef(x, weight, bias, sizes))
  })

  test('refuses even kernels and weights of another size', async () => {
    const { x, weight } = seeded({ x: [6, 4], weight: [4, 1, 3, 3] })
    const run = (kernel: number) =>
      onGpu({ x, weight }, (enc, t) => ({
        y: depthwiseConv(enc, t.x, t.weight, undefined, { batch: 1, height: 2, width: 3, kernel }),
      }))
    await expect(run(2)).rejects.toThrow("depthwise-conv: the kernel's side should be odd but is 2")
    await expect(run(7)).rejects.toThrow('depthwise-conv: weight should be [4, 1, 7, 7] but is [4, 1, 3, 3]')
  })
})

/** Records as for a device that may run only so many operations a dispatch. */
function withFlopLimit<T>(enc: Encoder, limit: number, record: () => T): T {
  const caps = enc.gpu.caps as { maxDispatchFlops: number }
  const real = caps.maxDispatchFlops
  caps.maxDispatchFlops = limit
  try {
    return record()
  } finally {
    caps.maxDispatchFlops = real
  }
}
