import { expect, test } from 'vitest'
import { seeded } from '../testing/numbers'
import { rmsNormRef } from '../rms-norm/rms-norm.ref'
import { addRmsNormRef } from './add-rms-norm.ref'

test('add-rms-norm oracle: is the norm of the sum', () => {
  const { x, y, weight } = seeded({ x: [3, 7], y: [3, 7], weight: [7] })
  const { sum, norm } = addRmsNormRef(x, y, weight, 1e-5)
  expect(sum[5]).toBe(x[5]! + y[5]!)
  expect(norm).toBeClose(rmsNormRef(sum, weight, 1e-5), { rtol: 1e-14 })
})
