import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { activateRef, matmulBackwardRef, matmulRef, matmulWeightBackwardRef } from './matmul.ref'
import { tiles } from './tiles'

describe('matmul oracle', () => {
  const K = 5
  const { x, w, bias, dy } = seeded({ x: [3, K], w: [4, K], bias: [4], dy: [3, 4] })

  test('its gradients agree with central differences for a random cotangent', () => {
    const { dw, db } = matmulWeightBackwardRef(dy, x, K)
    const close = { rtol: 1e-7 }
    const dxNumeric = finiteDifference((at) => matmulRef(at, w, K, { bias }), x, dy)
    expect(matmulBackwardRef(dy, w, K)).toBeClose(dxNumeric, close)
    expect(dw).toBeClose(
      finiteDifference((at) => matmulRef(x, at, K, { bias }), w, dy),
      close,
    )
    expect(db).toBeClose(
      finiteDifference((at) => matmulRef(x, w, K, { bias: at }), bias, dy),
      close,
    )
  })

  test('its erf agrees with published values', () => {
    // gelu(x) = x/2 (1 + erf(x/sqrt 2)), so erf(z) = gelu(sqrt2 z) sqrt2 / z - 1; DLMF table 7.
    const erf = (z: number) => (activateRef('gelu', Math.SQRT2 * z) * Math.SQRT2) / z - 1
    expect(erf(0.5)).toBeCloseTo(0.5204998778, 9)
    expect(erf(1)).toBeCloseTo(0.8427007929, 9)
    expect(erf(-1)).toBeCloseTo(-0.8427007929, 9)
    expect(erf(2)).toBeCloseTo(0.995322265, 9)
    expect(erf(4)).toBeCloseTo(0.9999999846, 9)
  })
})

describe('tiles', () => {
  const covered = (M: number, N: number, tile: readonly [number, number], most: number, widest = 65535) => {
    const seen = new Set<string>()
    const limits = { maxDispatchFlops: most * 2 * tile[0] * tile[1] * 10, maxWorkgroupsPerDimension: widest }
    for (const cut of tiles(M, N, tile, 10, limits)) {
      expect(cut.mTiles * cut.nTiles).toBeLessThanOrEqual(Math.max(1, Math.floor(most)))
      expect(Math.max(cut.mTiles, cut.nTiles)).toBeLessThanOrEqual(widest)
      for (let i = 0; i < cut.mTiles; i++) {
        for (let j = 0; j < cut.nTiles; j++) {
          const at = `${cut.m / tile[0] + i},${cut.n / tile[1] + j}`
          expect(seen.has(at)).toBe(false)
          seen.add(at)
        }
      }
    }
    return seen.size
  }

  test.each([0.5, 1, 3, 7, 8, 50, 1000])('%d tiles a dispatch cover each tile once', (most) => {
    expect(covered(129, 70, [16, 8], most)).toBe(9 * 9)
    expect(covered(1, 1, [16, 8], most)).toBe(1)
    expect(covered(129, 70, [16, 8], most, 4)).toBe(9 * 9)
  })
})
