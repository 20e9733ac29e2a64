import { expect, test } from 'vitest'
import { layerNormRef } from '../layer-norm/layer-norm.ref'
import { seeded } from '../testing/numbers'
import { addLayerNormRef } from './add-layer-norm.ref'

test('add-layer-norm oracle: is the norm of the sum', () => {
  const { x, y, weight, bias } = seeded({ x: [3, 7], y: [3, 7], weight: [7], bias: [7] })
  const { sum, norm } = addLayerNormRef(x, y, weight, bias, 1e-5)
  expect(sum[5]).toBe(x[5]! + y[5]!)
  expect(norm).toBeClose(layerNormRef(sum, weight, bias, 1e-5), { rtol: 1e-14 })
})
