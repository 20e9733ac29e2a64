import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LoadOptions, ModelSource } from '../../worker/api'
import type { EngineState, LoadTarget } from './engine.svelte'
import { ModelPicker } from './models.svelte'
import { localKeep } from './storage'

const stored = new Map<string, string>()

beforeEach(() => {
  stored.clear()
  vi.stubGlobal('document', { baseURI: 'https://page.test/' })
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
  })
})
afterEach(() => vi.unstubAllGlobals())

function stage() {
  const engine = {
    status: 'idle',
    plan: vi.fn(async (_source: ModelSource, _options: LoadOptions) => ({ towers: [] })),
    load: vi.fn(async (_target: LoadTarget) => true),
  }
  return { engine, picker: new ModelPicker(engine as unknown as EngineState, localKeep) }
}

test('what is planned is what is loaded, GPU memory included', async () => {
  const { engine, picker } = stage()
  picker.dtype = 'q4'
  picker.contextLength = 2048
  picker.memoryGB = 5.5
  await picker.updatePlan()
  await picker.load()
  const planned = engine.plan.mock.lastCall!
  const { source, options } = engine.load.mock.lastCall![0]
  expect(planned).toEqual([source, options])
  expect(options).toEqual({ dtype: 'q4', contextLength: 2048, memoryBytes: 5.5e9 })
})

test.each([[undefined], [null], [0], [-1], [NaN]])('GPU memory of %s is left to the engine', (value) => {
  const { picker } = stage()
  picker.memoryGB = value as number | undefined
  expect(picker.options).toEqual({ dtype: 'auto' })
})

test('GPU memory is remembered, and the bundled model has its own defaults', async () => {
  const { picker } = stage()
  picker.memoryGB = 8
  await picker.load()
  const { picker: next } = stage()
  expect(next.memoryGB).toBe(8)
  await next.loadBundled()
  expect(next.options).toEqual({ dtype: 'auto' })
})
