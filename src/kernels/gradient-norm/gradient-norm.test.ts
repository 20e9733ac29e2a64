import { expect, test } from 'vitest'
import { gradientNormRef } from './gradient-norm.ref'

test('gradient-norm oracle: known norms, clipped as PyTorch clips them', () => {
  expect(gradientNormRef([[3], [0, 4]], 1)).toEqual({ norm: 5, scale: 1 / (5 + 1e-6), isFinite: true })
  expect(gradientNormRef([[3], [0, 4]], 10)).toEqual({ norm: 5, scale: 1, isFinite: true })
  expect(gradientNormRef([[3], [0, 4]], 0)).toEqual({ norm: 5, scale: 1, isFinite: true })
  expect(gradientNormRef([[3], [Infinity]], 1)).toEqual({ norm: NaN, scale: 0, isFinite: false })
})
