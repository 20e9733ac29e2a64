import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { layerNormBackwardRef, layerNormRef } from './layer-norm.ref'

const EPS = 1e-5

describe('layer-norm oracle', () => {
  const { x, weight, bias, dy } = seeded({ x: [3, 7], weight: [7], bias: [7], dy: [3, 7] })
  const { dx, dWeight, dBias } = layerNormBackwardRef(dy, x, weight, EPS)

  test('every gradient agrees with central differences for a random cotangent', () => {
    expect(dx).toBeClose(
      finiteDifference((at) => layerNormRef(at, weight, bias, EPS), x, dy),
      { rtol: 1e-7 },
    )
    expect(dWeight).toBeClose(
      finiteDifference((at) => layerNormRef(x, at, bias, EPS), weight, dy),
      { rtol: 1e-7 },
    )
    expect(dBias).toBeClose(
      finiteDifference((at) => layerNormRef(x, weight, at, EPS), bias, dy),
      { rtol: 1e-7 },
    )
  })

  test('a row comes out with mean 0 and variance 1 under gain 1 and offset 0', () => {
    const y = layerNormRef(x, new Array<number>(7).fill(1), new Array<number>(7).fill(0), 0).subarray(0, 7)
    expect(y.reduce((a, b) => a + b) / 7).toBeCloseTo(0, 12)
    expect(y.reduce((a, b) => a + b * b, 0) / 7).toBeCloseTo(1, 12)
  })
})
