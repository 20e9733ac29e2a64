import { beforeEach, expect, test, vi } from 'vitest'
import type { TrainingApi } from '../../worker/client'
import type { EngineState } from './engine.svelte'
import { GradientCheck } from './gradient-check.svelte'

function stage(client: Partial<TrainingApi>) {
  const engine = {
    isReady: true,
    call: <T>(call: (client: TrainingApi) => Promise<T>) => call(client as TrainingApi),
  }
  return new GradientCheck(engine as unknown as EngineState, () => {})
}
const named = (name: string) => Object.assign(new Error('why'), { name })

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
})

test('tells how far it is and what came of it', async () => {
  const report = { passed: true, checks: [] } as never
  const seen: unknown[] = []
  const check = stage({
    checkGradients: async (_options, onProgress) => {
      onProgress(3, 9)
      seen.push(check.progress)
      return report
    },
  })
  await check.run({ directions: 3, seed: 0 })
  expect(seen).toEqual([{ done: 3, total: 9 }])
  expect([check.report, check.progress]).toEqual([report, undefined])
})

test('is cancelled without a report', async () => {
  let cancel = () => {}
  const check = stage({
    checkGradients: () => new Promise((_, reject) => (cancel = () => reject(named('AbortError')))),
    cancelOpening: async () => cancel(),
  })
  const running = check.run({ directions: 3, seed: 0 })
  const cancelled = check.cancel()
  expect(check.isCancelling).toBe(true)
  await Promise.all([cancelled, running])
  expect([check.report, check.problem, check.progress, check.isCancelling]).toEqual([
    undefined,
    undefined,
    undefined,
    false,
  ])
})

test('that fails leaves words', async () => {
  const check = stage({ checkGradients: () => Promise.reject(named('TrainingError')) })
  await check.run({ directions: 3, seed: 0 })
  expect([check.problem?.name, check.progress]).toEqual(['TrainingError', undefined])
})
