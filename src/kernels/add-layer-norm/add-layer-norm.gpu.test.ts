import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { addLayerNorm } from './add-layer-norm'
import { addLayerNormCases } from './add-layer-norm.cases'
import { addLayerNormRef } from './add-layer-norm.ref'

// Rows of 2 can lie so close together that rstd magnifies float32's rounding of the sum; a larger eps bounds it.
const EPS = 1e-2

describe('add-layer-norm', () => {
  test.each(addLayerNormCases)('matches the oracle for [$rows, $C]', async ({ rows, C }) => {
    const { x, y, weight, bias } = seeded({ x: [rows, C], y: [rows, C], weight: [C], bias: [C] })
    const got = await onGpu({ x, y, weight, bias }, (enc, t) => ({
      norm: addLayerNorm(enc, t.x, t.y, t.weight, t.bias, EPS),
      sum: t.x,
    }))
    const want = addLayerNormRef(x, y, weight, bias, EPS)
    expect(got.sum).toBeClose(want.sum)
    expect(got.norm).toBeClose(want.norm)
  })

  test('refuses an offset of the wrong length', async () => {
    const { x, y, weight, bias } = seeded({ x: [2, 8], y: [2, 8], weight: [8], bias: [4] })
    await expect(
      onGpu({ x, y, weight, bias }, (enc, t) => ({
        norm: addLayerNorm(enc, t.x, t.y, t.weight, t.bias, EPS),
      })),
    ).rejects.toThrow('add-layer-norm: bias should be [8] but is [4]')
  })
})
