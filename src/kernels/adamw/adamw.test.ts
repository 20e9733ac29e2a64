import { expect, test } from 'vitest'
import { adamwRef, type AdamwState } from './adamw.ref'

test('adamw oracle: three steps as torch.optim.AdamW does them', () => {
  // torch 2.13, float64: AdamW([w], lr=0.01, betas=(0.9, 0.95), eps=1e-3, weight_decay=0.1).
  const state: AdamwState = {
    weight: Float64Array.of(0.5, -1.25, 2),
    m: new Float64Array(3),
    v: new Float64Array(3),
  }
  const options = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.1 }
  const gradients = [
    [0.1, -0.2, 1e-5],
    [-0.3, 0.25, 0],
    [0.7, 0.01, -2e-5],
  ]
  const weights = [
    [0.4895990099009901, -1.2387997512437812, 1.99790099009901],
    [0.49398080309979625, -1.2391766856225495, 1.9958560490194228],
    [0.48933054459010206, -1.2394011281347006, 1.9939035361887143],
  ]
  gradients.forEach((gradient, i) => {
    adamwRef(state, gradient, { ...options, step: i + 1 })
    expect(state.weight).toBeClose(weights[i]!, { rtol: 1e-14 })
  })
  expect(state.m).toBeClose([0.0511, 0.0073, -1.19e-6], { rtol: 1e-14 })
  expect(state.v).toBeClose([0.02922625, 0.00477875, 2.45125e-11], { rtol: 1e-14 })
})
