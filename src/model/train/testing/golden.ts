import { expect } from 'vitest'
import type { Recipe } from '../definition'

/** The reference's own table; losses and norms relative, the others absolute. */
export const TOLERANCE = { loss: 1e-4, gradNorm: 1e-3, gradient: 1e-4, weight: 2e-5, fewWeights: 1e-4 }

/** What the recorded runs were made with. */
export const GOLDEN_RECIPE: Recipe = {
  name: 'golden',
  template: 'plain',
  captionEnd: 'eos',
  start: 'checkpoint',
  learningRate: 1e-3,
  samplerLearningRate: null,
  imageAspectRatio: 'model',
  schedule: 'cosine',
  warmupRatio: 0.03,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 1,
  batchSize: 2,
  accumulate: 2,
  epochs: 1,
  steps: 20,
  maxTokens: 2048,
  seed: 0,
}

/** Of the 20 recorded steps those that are done: on SwiftShader the first ones, behind which weights are recorded too. */
export const GOLDEN_STEPS = process.env['TRILOBITE_ADAPTER'] === 'swiftshader' ? 2 : 20

/** All but 0.1 % of the entries within `weight`, and those within `fewWeights`. */
export function expectWeights(got: Float32Array, want: Float32Array, name: string): void {
  let beyond = 0
  for (const [i, value] of want.entries()) {
    const error = Math.abs(got[i]! - value)
    expect(error, `${name}[${i}]`).toBeLessThanOrEqual(TOLERANCE.fewWeights)
    if (error > TOLERANCE.weight) beyond++
  }
  expect(beyond, name).toBeLessThanOrEqual(Math.floor(got.length / 1000))
}

export const expectRelative = (got: number, want: number, tolerance: number, what: string) =>
  expect(Math.abs(got - want) / Math.abs(want), `${what}: ${got} for ${want}`).toBeLessThanOrEqual(tolerance)
