import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { mlpProjectorBackwardRef, mlpProjectorRef } from './mlp-projector.ref'

const act = { value: Math.tanh, slope: (x: number) => 1 - Math.tanh(x) ** 2 }

describe('mlp-projector oracle', () => {
  const { x, w1, b1, w2, b2, dy } = seeded({
    x: [3, 5],
    w1: [7, 5],
    b1: [7],
    w2: [4, 7],
    b2: [4],
    dy: [3, 4],
  })
  const layers = { w1, b1, w2, b2, act }
  const got = mlpProjectorBackwardRef(dy, x, layers)

  test('its input gradient agrees with central differences for a random cotangent', () => {
    const numeric = finiteDifference((at) => mlpProjectorRef(at, layers), x, dy)
    expect(got.dx).toBeClose(numeric, { rtol: 1e-6 })
  })

  test.each(['w1', 'b1', 'w2', 'b2'] as const)(
    'its gradient of %s agrees with central differences',
    (name) => {
      const numeric = finiteDifference(
        (at) => mlpProjectorRef(x, { ...layers, [name]: at }),
        layers[name],
        dy,
      )
      expect(got[`d${name}`]).toBeClose(numeric, { rtol: 1e-6 })
    },
  )

  test('is two matrix products by hand', () => {
    const identity = { value: (v: number) => 2 * v, slope: () => 2 }
    const y = mlpProjectorRef([1, 2], { w1: [3, 4, 5, 6], b1: [1, 0], w2: [1, -1], b2: [10], act: identity })
    expect([...y]).toEqual([10 + 2 * (1 * 3 + 2 * 4 + 1) - 2 * (1 * 5 + 2 * 6)])
  })
})
