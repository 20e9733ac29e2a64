import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { layerNorm, layerNormBackward, layerNormWeightBackward } from './layer-norm'
import { layerNormCases } from './layer-norm.cases'
import { layerNormBackwardRef, layerNormRef } from './layer-norm.ref'

// Rows of 2 can lie so close together that rstd magnifies float32's rounding of x; a larger eps bounds it.
const EPS = 1e-2

describe('layer-norm', () => {
  test.each(layerNormCases)('matches the oracle for [$rows, $C]', async ({ rows, C }) => {
    const { x, weight, bias, dy, dWeight, dBias } = seeded({
      x: [rows, C],
      weight: [C],
      bias: [C],
      dy: [rows, C],
      dWeight: [C],
      dBias: [C],
    })
    const got = await onGpu({ x, weight, bias, dy, dWeight, dBias }, (enc, t) => {
      const fresh = { dWeight: enc.constant(new Float32Array(C).fill(NaN)), dBias: enc.temp([C]) }
      layerNormWeightBackward(enc, t.dy, t.x, EPS, fresh, false)
      layerNormWeightBackward(enc, t.dy, t.x, EPS, t, true)
      return {
        y: layerNorm(enc, t.x, t.weight, t.bias, EPS),
        dx: layerNormBackward(enc, t.dy, t.x, t.weight, EPS),
        dWeight: fresh.dWeight,
        dBias: fresh.dBias,
        dWeightSum: t.dWeight,
        dBiasSum: t.dBias,
      }
    })
    const want = layerNormBackwardRef(dy, x, weight, EPS)
    expect(got.y).toBeClose(layerNormRef(x, weight, bias, EPS))
    expect(got.dx).toBeClose(want.dx)
    expect(got.dWeight).toBeClose(want.dWeight)
    expect(got.dBias).toBeClose(want.dBias)
    expect(got.dWeightSum).toBeClose(want.dWeight.map((value, c) => value + dWeight[c]!))
    expect(got.dBiasSum).toBeClose(want.dBias.map((value, c) => value + dBias[c]!))
  })

  test('keeps its digits where the mean is a thousand deviations away', async () => {
    const { x, weight, bias } = seeded({ x: [4, 512], weight: [512], bias: [512] })
    // Halves and quarters near 1000 are exact in float32, so the oracle sees the very same input.
    x.forEach((value, i) => (x[i] = 1000 + Math.round(value * 4) / 4))
    const got = await onGpu({ x, weight, bias }, (enc, t) => ({
      y: layerNorm(enc, t.x, t.weight, t.bias, 1e-6),
    }))
    expect(got.y).toBeClose(layerNormRef(x, weight, bias, 1e-6), { rtol: 1e-4 })
  })

  test('gives the same bits twice', async () => {
    const { x, dy } = seeded({ x: [999, 36], dy: [999, 36] })
    const run = () =>
      onGpu({ x, dy }, (enc, t) => {
        const into = { dWeight: enc.temp([36]), dBias: enc.temp([36]) }
        layerNormWeightBackward(enc, t.dy, t.x, EPS, into, false)
        return into
      })
    expect(await run()).toEqual(await run())
  })

  test('refuses parameters of the wrong length', async () => {
    const { x, weight, bias } = seeded({ x: [2, 8], weight: [8], bias: [7] })
    await expect(
      onGpu({ x, weight, bias }, (enc, t) => ({ y: layerNorm(enc, t.x, t.weight, t.bias, EPS) })),
    ).rejects.toThrow('layer-norm: bias should be [8] but is [7]')
  })
})
