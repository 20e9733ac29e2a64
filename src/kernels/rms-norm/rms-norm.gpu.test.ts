import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { rmsNorm, rmsNormBackward } from './rms-norm'
import { rmsNormCases } from './rms-norm.cases'
import { rmsNormBackwardRef, rmsNormRef } from './rms-norm.ref'

const EPS = 1e-5

describe('rms-norm', () => {
  test.each(rmsNormCases)('matches the oracle for [$rows, $C]', async ({ rows, C }) => {
    const { x, weight, dy } = seeded({ x: [rows, C], weight: [C], dy: [rows, C] })
    const got = await onGpu({ x, weight, dy }, (enc, t) => ({
      y: rmsNorm(enc, t.x, t.weight, EPS),
      dx: rmsNormBackward(enc, t.dy, t.x, t.weight, EPS),
    }))
    expect(got.y).toBeClose(rmsNormRef(x, weight, EPS))
    expect(got.dx).toBeClose(rmsNormBackwardRef(dy, x, weight, EPS))
  })

  test('refuses a gain of the wrong length', async () => {
    const { x, weight } = seeded({ x: [2, 8], weight: [7] })
    await expect(onGpu({ x, weight }, (enc, t) => ({ y: rmsNorm(enc, t.x, t.weight, EPS) }))).rejects.toThrow(
      'rms-norm: weight should be [8] but is [7]',
    )
  })
})
