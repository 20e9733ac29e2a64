import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { addRmsNorm } from './add-rms-norm'
import { addRmsNormCases } from './add-rms-norm.cases'
import { addRmsNormRef } from './add-rms-norm.ref'

const EPS = 1e-5

describe('add-rms-norm', () => {
  test.each(addRmsNormCases)('matches the oracle for [$rows, $C]', async ({ rows, C }) => {
    const { x, y, weight } = seeded({ x: [rows, C], y: [rows, C], weight: [C] })
    const got = await onGpu({ x, y, weight }, (enc, t) => ({
      norm: addRmsNorm(enc, t.x, t.y, t.weight, EPS),
      sum: t.x,
    }))
    const want = addRmsNormRef(x, y, weight, EPS)
    expect(got.sum).toBeClose(want.sum)
    expect(got.norm).toBeClose(want.norm)
  })

  test('refuses a summand of another shape', async () => {
    const { x, y, weight } = seeded({ x: [2, 8], y: [1, 8], weight: [8] })
    await expect(
      onGpu({ x, y, weight }, (enc, t) => ({ norm: addRmsNorm(enc, t.x, t.y, t.weight, EPS) })),
    ).rejects.toThrow('add-rms-norm: y should be [2, 8] but is [1, 8]')
  })
})
