import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LoadOptions, ModelSource } from '../../worker/api'
import type { EngineState, LoadTarget } from './engine.svelte'
import { ModelPicker } from './models.svelte'
import { localKeep } from './storage'

const stored = new Map<string, string>()

beforeEach(() => {
  stored.clear()
  vi.stubGlobal('document', { baseURI: 'https://page.test/' })
  vi.stubGlobal('navigator', { onLine: true })
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

/** Servers that list these models. */
const serve = (names: (host: string) => string[] | Promise<string[]>) =>
  vi.stubGlobal('fetch', async (url: string) =>
    Response.json({ data: (await names(new URL(url).host)).map((id) => ({ id })) }),
  )

test('a server is asked for its models; the only one is taken, and nothing is planned', async () => {
  serve(() => ['llava'])
  const { engine, picker } = stage()
  await picker.choose({ kind: 'endpoint', baseUrl: 'https://gpu.example/v1' })
  expect(picker.server.names).toEqual(['llava'])
  expect(engine.plan).not.toHaveBeenCalled()
  await picker.load()
  expect(engine.load.mock.lastCall![0]).toMatchObject({
    label: 'llava @ gpu.example',
    source: { kind: 'endpoint', baseUrl: 'https://gpu.example/v1', model: 'llava' },
  })
})

test('the key of a server is for its origin alone, and kept nowhere', async () => {
  serve(() => ['a', 'b'])
  const { picker } = stage()
  const at = (host: string) => ({ kind: 'endpoint' as const, baseUrl: `https://${host}/v1`, model: 'a' })
  await picker.choose(at('one.example'))
  picker.server.setKey(at('one.example').baseUrl, ' secret ')
  expect(picker.target().source).toMatchObject({ apiKey: 'secret' })
  await picker.load()
  expect(JSON.stringify([...stored])).not.toContain('secret')
  expect(picker.target(at('two.example')).source).not.toHaveProperty('apiKey')
  await picker.choose(at('two.example'))
  expect(picker.server.key).toBe('')
  await picker.choose(at('one.example'))
  expect(picker.target().source).not.toHaveProperty('apiKey')

  const { picker: next } = stage()
  expect(next.choice).toEqual(at('one.example'))
})

test('what keeps a server from listing its models is told; an earlier answer does not overtake a later one', async () => {
  const { picker } = stage()
  vi.stubGlobal('fetch', async () => new Response('', { status: 401 }))
  await picker.choose({ kind: 'endpoint', baseUrl: 'https://x.example/v1' })
  expect(picker.server.problem?.title).toBe('The server wants an API key that may use this model.')
  let answer: (models: string[]) => void = () => {}
  const slow = new Promise<string[]>((resolve) => (answer = resolve))
  serve((host) => (host === 'slow.example' ? slow : ['new']))
  const first = picker.choose({ kind: 'endpoint', baseUrl: 'https://slow.example/v1' })
  await picker.choose({ kind: 'endpoint', baseUrl: 'https://quick.example/v1' })
  answer(['old'])
  await first
  expect(picker.server.names).toEqual(['new'])
  expect(picker.choice).toMatchObject({ baseUrl: 'https://quick.example/v1', model: 'new' })
})
