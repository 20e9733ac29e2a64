import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded, shaped } from '../testing/numbers'
import { activation, activationBackward } from './activation'
import { activationCases, activationKinds } from './activation.cases'
import { activationBackwardRef, activationRef } from './activation.ref'

describe.each(activationKinds)('%s', (kind) => {
  test.each(activationCases.map((shape) => [shape]))('matches the oracle for %j', async (shape) => {
    const { x, dy } = seeded({ x: shape, dy: shape })
    x.forEach((value, i) => (x[i] = value * 3))
    const got = await onGpu({ x, dy }, (enc, t) => ({
      y: activation(enc, t.x, kind),
      dx: activationBackward(enc, t.dy, t.x, kind),
    }))
    expect(got.y).toBeClose(activationRef(x, kind))
    expect(got.dx).toBeClose(activationBackwardRef(dy, x, kind))
  })

  test('stays finite and exact far out, where exponents overflow', async () => {
    const x = shaped(Float32Array.of(-3e4, -200, -90, -20, 0, 20, 90, 200, 3e4), [9])
    const ones = shaped(new Float32Array(9).fill(1), [9])
    const got = await onGpu({ x, ones }, (enc, t) => ({
      y: activation(enc, t.x, kind),
      dx: activationBackward(enc, t.ones, t.x, kind),
    }))
    activationRef(x, kind).forEach((want, i) => {
      expect(Math.abs(got.y[i]! - want)).toBeLessThanOrEqual(1e-6 + 1e-6 * Math.abs(want))
    })
    expect(got.dx).toBeClose(activationBackwardRef(ones, x, kind))
  })
})

test('activation: a folded grid reaches every element once', async () => {
  const { x } = seeded({ x: [7, 1024] })
  const got = await onGpu({ x }, (enc, t) => ({
    y: withGridLimit(enc.gpu, 3, () => activation(enc, t.x, 'silu')),
  }))
  expect(got.y).toBeClose(activationRef(x, 'silu'))
})

test('activation-backward: refuses a gradient of another shape', async () => {
  const { x, dy } = seeded({ x: [2, 8], dy: [2, 7] })
  await expect(
    onGpu({ x, dy }, (enc, t) => ({ dx: activationBackward(enc, t.dy, t.x, 'gelu') })),
  ).rejects.toThrow('activation-backward: dy should be [2, 8] but is [2, 7]')
})
