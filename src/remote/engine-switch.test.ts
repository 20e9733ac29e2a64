import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AskRequest, EngineEvent, LoadOptions, ModelInfo, Reply } from '../worker/api'
import type { EngineClient } from '../worker/client'
import { withEndpoints } from './engine-switch'
import { MockServer } from './testing/mock-server'

const OPTIONS: LoadOptions = { dtype: 'auto' }
const REQUEST: AskRequest = {
  messages: [{ role: 'user', text: '?' }],
  sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 },
  maxNewTokens: 8,
}

let server: MockServer
beforeEach(async () => {
  server = await MockServer.start()
})
afterEach(() => server.stop())

const there = () => ({ kind: 'endpoint' as const, baseUrl: server.baseUrl })
const here = { kind: 'hub' as const, repo: 'a/b' }

/** An engine on this device that says what it was asked for, and what it tells its page. */
function setUp() {
  const calls: string[] = []
  let tell: (event: EngineEvent) => void = () => {}
  let crash: (error: Error) => void = () => {}
  const call =
    (name: string, result?: unknown) =>
    async (...parameters: unknown[]) => {
      calls.push(name)
      if (name === 'watch') tell = parameters[0] as typeof tell
      return result
    }
  const local = {
    ...Object.fromEntries(
      ['watch', 'abort', 'cancelLoad', 'unload', 'close', 'plan', 'probe', 'runs', 'train', 'look'].map(
        (name) => [name, call(name)],
      ),
    ),
    load: call('load', { model: 'a/b' } as ModelInfo),
    ask: call('ask', { text: 'local' } as Reply),
    gpuMemory: call('gpuMemory', { allocatedBytes: 5, peakBytes: 6 }),
    dispose: () => void calls.push('dispose'),
  } as unknown as EngineClient
  const connect = vi.fn((onCrash: typeof crash) => {
    crash = onCrash
    return local
  })
  const onCrash = vi.fn()
  return {
    engine: withEndpoints(connect)(onCrash),
    calls,
    connect,
    onCrash,
    lose: () => tell({ type: 'device-lost', reason: 'x', message: 'y', recovers: false }),
    crash: () => crash(new Error('z')),
  }
}

test('a server alone needs no engine on this device', async () => {
  const { engine, connect } = setUp()
  await engine.watch(() => {})
  const info = await engine.load(there(), OPTIONS, () => {})
  expect(info).toMatchObject({ model: 'tiny', server: server.host })
  expect((await engine.ask(REQUEST, () => {})).text).toBe('Two shapes.')
  expect(await engine.gpuMemory()).toEqual({ allocatedBytes: 0, peakBytes: 0 })
  await engine.abort()
  await engine.unload()
  engine.dispose()
  expect(connect).not.toHaveBeenCalled()
})

test('each model is asked where it is', async () => {
  const { engine, calls } = setUp()
  await engine.load(here, OPTIONS, () => {})
  expect((await engine.ask(REQUEST, () => {})).text).toBe('local')
  await engine.load(there(), OPTIONS, () => {})
  // The model on this device made room.
  expect(calls.at(-1)).toBe('unload')
  expect((await engine.ask(REQUEST, () => {})).text).toBe('Two shapes.')
  await engine.load(here, OPTIONS, () => {})
  expect((await engine.ask(REQUEST, () => {})).text).toBe('local')
  expect(server.asked).toHaveLength(1)
})

test('a server that is not there leaves the model as it is', async () => {
  const { engine } = setUp()
  await engine.load(here, OPTIONS, () => {})
  server.models = (response) => void response.writeHead(401).end()
  await expect(engine.load(there(), OPTIONS, () => {})).rejects.toThrow(/endpoint denied/)
  expect((await engine.ask(REQUEST, () => {})).text).toBe('local')
})

test('what a server cannot give is refused with the reason; all else goes on', async () => {
  const { engine, calls } = setUp()
  await engine.watch(() => {})
  await engine.load(there(), OPTIONS, () => {})
  await expect(engine.look({ kind: 'word', tokens: [0] })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining(server.host) as string,
  })
  await expect(engine.train({} as never, () => {})).rejects.toThrow(/^train: /)
  await expect(engine.plan(there(), OPTIONS)).rejects.toThrow(/^plan: /)
  await engine.runs()
  await engine.plan(here, OPTIONS)
  expect(calls).toEqual(['watch', 'runs', 'plan'])
})

test('a device that is lost, or an engine that crashed, is no news to who is answered by a server', async () => {
  const { engine, lose, crash, onCrash, connect } = setUp()
  const events: EngineEvent[] = []
  await engine.watch((event) => events.push(event))
  await engine.probe()
  lose()
  expect(events).toHaveLength(1)
  await engine.load(there(), OPTIONS, () => {})
  lose()
  crash()
  expect(events).toHaveLength(1)
  expect(onCrash).not.toHaveBeenCalled()
  await engine.probe()
  expect(connect).toHaveBeenCalledTimes(2)
})

test('connecting is cancelled', async () => {
  const { engine, connect } = setUp()
  server.models = () => {}
  const opening = engine.load(there(), OPTIONS, () => {})
  await vi.waitFor(() => expect(server.received).toHaveLength(1))
  await engine.cancelLoad()
  await expect(opening).rejects.toMatchObject({ name: 'AbortError' })
  expect(connect).not.toHaveBeenCalled()
})

test('a load on this device ends the answer of a server', async () => {
  const { engine } = setUp()
  server.chat = () => {}
  await engine.load(there(), OPTIONS, () => {})
  const asked = engine.ask(REQUEST, () => {})
  await vi.waitFor(() => expect(server.asked).toHaveLength(1))
  await engine.load(here, OPTIONS, () => {})
  expect((await asked).finish).toBe('aborted')
})

test('it can be awaited', async () => {
  const { engine } = setUp()
  expect(await Promise.resolve(engine)).toBe(engine)
})
