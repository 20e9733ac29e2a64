import { expect, test } from 'vitest'
import type { ProfilePhase } from '../../worker/api'
import { dispatchesPerToken, figuresOf, profileJson } from './figures'

const decode: ProfilePhase = {
  phase: 'decode',
  steps: 4,
  wallMs: 30,
  kernels: [
    { kernel: 'matmul-vector', dispatches: 40, ms: 15, flops: 3e9 },
    { kernel: 'rope', dispatches: 8, ms: 5, flops: 0 },
  ],
}

test('figures of a phase', () => {
  expect(figuresOf(decode)).toEqual({
    phase: 'decode',
    steps: 4,
    wallMs: 30,
    kernelMs: 20,
    dispatches: 48,
    kernels: [
      { ...decode.kernels[0], share: 0.75, gflopsPerSecond: 200 },
      { ...decode.kernels[1], share: 0.25, gflopsPerSecond: undefined },
    ],
  })
  expect(dispatchesPerToken([figuresOf(decode)])).toBe(12)
  expect(dispatchesPerToken([])).toBeUndefined()
})

test('timestamps that were all rounded away give no shares of nothing', () => {
  const kernels = decode.kernels.map((kernel) => ({ ...kernel, ms: 0 }))
  const figures = figuresOf({ ...decode, kernels })
  expect(figures.kernels.map(({ share, gflopsPerSecond }) => [share, gflopsPerSecond])).toEqual([
    [0, undefined],
    [0, undefined],
  ])
})

test('JSON holds what is shown', () => {
  const profile = {
    method: 'timestamps' as const,
    phases: [decode],
    model: 'm',
    adapter: 'a',
    loadMs: 900,
    firstTokenMs: 300,
    tokensPerSecond: 10,
    tokens: 5,
    promptTokens: 80,
    imageTokens: 64,
    reusedTokens: 0,
  }
  expect(JSON.parse(profileJson(profile))).toMatchObject({
    method: 'timestamps',
    loadToFirstTokenMs: 1200,
    dispatchesPerToken: 12,
    phases: [{ phase: 'decode', kernels: [{ kernel: 'matmul-vector', gflopsPerSecond: 200 }, {}] }],
  })
})
