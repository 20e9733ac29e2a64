import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { DeviceReport, EngineEvent, ModelInfo, Reply } from '../../worker/api'
import type { EngineClient } from '../../worker/client'
import { EngineState, type LoadTarget } from './engine.svelte'

const target: LoadTarget = {
  label: 'tiny',
  source: { kind: 'url', baseUrl: 'https://x.example/' },
  options: { dtype: 'auto' },
}
const there: LoadTarget = {
  label: 'large @ gpu.example',
  source: { kind: 'endpoint', baseUrl: 'https://gpu.example/v1', model: 'large' },
  options: { dtype: 'auto' },
}
const info = { model: 'tiny' } as ModelInfo
const reply = { text: 'Yes.', finish: 'stop' } as Reply
const request = { messages: [], sampling: {} as never, maxNewTokens: 1 }
const named = (name: string) => Object.assign(new Error('why'), { name })
const never = () => new Promise<never>(() => {})

/** A client whose calls do what a test says; the rest succeed at once. */
function stage(overrides: Partial<EngineClient> = {}) {
  const stage = {
    connections: 0,
    disposed: 0,
    crash: (_error: Error) => {},
    tell: (_event: EngineEvent) => {},
    client: {
      probe: async () => ({ ok: true }) as DeviceReport,
      load: async () => info,
      ask: async () => reply,
      ...overrides,
    } as EngineClient,
  }
  const engine = new EngineState((onCrash) => {
    stage.connections++
    stage.crash = onCrash
    return {
      ...stage.client,
      watch: async (onEvent) => void (stage.tell = onEvent),
      abort: async () => {},
      cancelLoad: stage.client.cancelLoad ?? (async () => {}),
      dispose: () => void stage.disposed++,
    }
  })
  return { stage, engine }
}

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
})

describe('a model on a server', () => {
  const unfit = async () =>
    ({ ok: false, problem: { name: 'UnsupportedDeviceError', message: 'why' } }) as DeviceReport

  test('needs no GPU, and is not disturbed by what is found of it', async () => {
    let report: (report: DeviceReport) => void = () => {}
    const { engine, stage: on } = stage({ probe: () => new Promise((resolve) => (report = resolve)) })
    const probing = engine.probe()
    expect(await engine.load(there)).toBe(true)
    report(await unfit())
    await probing
    expect(engine.status).toBe('ready')
    expect(engine.problem).toBeUndefined()
    expect((await engine.ask(request, () => {})).text).toBe('Yes.')
    expect(on.connections).toBe(1)
  })

  test('answers where the GPU was found unfit; a checkpoint still finds it so', async () => {
    const { engine } = stage({ probe: unfit })
    await engine.probe()
    expect(engine.status).toBe('unfit')
    expect(await engine.load(there)).toBe(true)
    expect(engine.status).toBe('ready')
    expect(await engine.load(target)).toBe(false)
    expect(engine.status).toBe('unfit')
  })

  test('that cannot be had leaves the page as it was, and says why', async () => {
    const load = async () => {
      throw Object.assign(new Error('endpoint unreachable: x'), { name: 'EndpointError' })
    }
    const { engine } = stage({ probe: unfit, load })
    await engine.probe()
    expect(await engine.load(there)).toBe(false)
    expect(engine.status).toBe('unfit')
    expect(engine.problem?.title).toBe('The server does not answer.')
    const { engine: fit } = stage({ load })
    expect(await fit.load(there)).toBe(false)
    expect(fit.status).toBe('idle')
  })

  test('whose connecting was cancelled leaves the GPU’s problem in sight', async () => {
    const { engine } = stage({
      probe: unfit,
      load: async () => {
        throw named('AbortError')
      },
    })
    await engine.probe()
    await engine.load(there)
    expect(engine.problem?.name).toBe('UnsupportedDeviceError')
  })
})

describe('engine state', () => {
  test('loads, asks and is ready again', async () => {
    const { engine } = stage()
    expect(await engine.load(target)).toBe(true)
    expect(engine.status).toBe('ready')
    expect(engine.model).toBe(info)
    expect(await engine.ask(request, () => {})).toBe(reply)
    expect(engine.status).toBe('ready')
  })

  test('an unfit device is never asked to load', async () => {
    const load = vi.fn()
    const { engine } = stage({
      probe: async () =>
        ({ ok: false, problem: { name: 'SelfTestError', message: 'matmul is off' } }) as DeviceReport,
      load,
    })
    expect(await engine.load(target)).toBe(false)
    expect(engine.status).toBe('unfit')
    expect(engine.problem?.name).toBe('SelfTestError')
    expect(load).not.toHaveBeenCalled()
  })

  test('a failed load leaves a sentence and lets another follow', async () => {
    const { engine, stage: s } = stage({
      load: async () => {
        throw named('OutOfMemoryError')
      },
    })
    expect(await engine.load(target)).toBe(false)
    expect([engine.status, engine.problem?.name]).toEqual(['idle', 'OutOfMemoryError'])
    expect(s.connections).toBe(1)
  })

  test('a cancelled load leaves no problem behind', async () => {
    let cancel = () => {}
    const { engine } = stage({
      load: () => new Promise((_, reject) => (cancel = () => reject(named('AbortError')))),
      cancelLoad: async () => cancel(),
    })
    const loaded = engine.load(target)
    await vi.waitFor(() => expect(engine.status).toBe('loading'))
    await Promise.resolve()
    await engine.cancelLoad()
    expect(await loaded).toBe(false)
    expect([engine.status, engine.problem, engine.isCancelling]).toEqual(['idle', undefined, false])
  })

  test('a device lost in mid-answer ends the answer even if the worker never does, and reload recovers', async () => {
    const { engine, stage: s } = stage({ ask: never })
    await engine.load(target)
    const asked = engine.ask(request, () => {})
    s.tell({ type: 'device-lost', reason: 'unknown', message: 'driver reset', recovers: false })
    await expect(asked).rejects.toMatchObject({ name: 'DeviceLostError' })
    expect([engine.status, engine.problem?.name]).toEqual(['lost', 'DeviceLostError'])

    expect(await engine.reload()).toBe(true)
    expect([engine.status, engine.problem]).toEqual(['ready', undefined])
    expect([s.connections, s.disposed]).toEqual([2, 1])
  })

  test('a device that the engine brings back keeps the model, and the answer goes on', async () => {
    let end!: (reply: Reply) => void
    const { engine, stage: s } = stage({ ask: () => new Promise((resolve) => (end = resolve)) })
    await engine.load(target)
    const asked = engine.ask(request, () => {})
    s.tell({ type: 'device-lost', reason: 'lost', message: 'driver reset', recovers: true })
    s.tell({ type: 'recovering', attempt: 2, attempts: 3 })
    expect([engine.status, engine.isAsking, engine.recovery?.attempt]).toEqual(['recovering', true, 2])
    expect(await engine.load(target)).toBe(false)
    s.tell({ type: 'ready', model: info })
    expect([engine.status, engine.model, engine.recovery, engine.losses]).toEqual([
      'answering',
      info,
      undefined,
      1,
    ])
    end(reply)
    expect(await asked).toBe(reply)
    expect([engine.status, engine.problem, s.connections]).toEqual(['ready', undefined, 1])
  })

  test('one that it gives up is lost, with its words, and one that was stopped is idle', async () => {
    const { engine, stage: s } = stage()
    await engine.load(target)
    s.tell({ type: 'device-lost', reason: 'lost', message: 'reset', recovers: true })
    s.tell({ type: 'not-recovered', name: 'DeviceLostError', message: '3 times in a row' })
    expect([engine.status, engine.problem?.detail]).toEqual(['lost', '3 times in a row'])
    await engine.reload()
    s.tell({ type: 'device-lost', reason: 'lost', message: 'reset', recovers: true })
    s.tell({ type: 'not-recovered', name: 'AbortError', message: 'cancelled' })
    expect([engine.status, engine.model, engine.problem]).toEqual(['idle', undefined, undefined])
    s.tell({ type: 'device-lost', reason: 'lost', message: 'reset', recovers: false })
    expect(engine.status).toBe('idle')
  })

  test('a call that fails by a loss that was told leaves the recovery alone', async () => {
    const { engine, stage: s } = stage()
    await engine.load(target)
    const call = engine.call(async () => {
      s.tell({ type: 'device-lost', reason: 'lost', message: 'reset', recovers: true })
      throw named('DeviceLostError')
    })
    await expect(call).rejects.toThrow()
    expect(engine.status).toBe('recovering')
  })

  test('an answer that rejects with the loss counts as the loss', async () => {
    const { engine } = stage({
      ask: async () => {
        throw named('DeviceLostError')
      },
    })
    await engine.load(target)
    await expect(engine.ask(request, () => {})).rejects.toThrow()
    expect(engine.status).toBe('lost')
  })

  test('a crash while loading is told as a crash', async () => {
    const { engine, stage: s } = stage({ load: never })
    void engine.load(target)
    await vi.waitFor(() => expect(engine.status).toBe('loading'))
    s.crash(named('WorkerCrashError'))
    expect([engine.status, engine.problem?.name]).toEqual(['lost', 'WorkerCrashError'])
  })

  test('a failed answer keeps the model', async () => {
    const { engine } = stage({
      ask: async () => {
        throw named('ImageError')
      },
    })
    await engine.load(target)
    await expect(engine.ask(request, () => {})).rejects.toThrow()
    expect([engine.status, engine.problem]).toEqual(['ready', undefined])
  })

  test('a load that ends late, with the engine it was lost with, leaves the next one alone', async () => {
    let endFirst!: (error: Error) => void
    let endSecond!: (model: ModelInfo) => void
    const load = vi
      .fn()
      .mockImplementationOnce(() => new Promise((_, reject) => (endFirst = reject)))
      .mockImplementationOnce(() => new Promise((resolve) => (endSecond = resolve)))
    const { engine, stage: s } = stage({ load })
    const first = engine.load(target)
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(1))
    s.tell({ type: 'device-lost', reason: 'destroyed', message: '', recovers: false })
    expect(engine.status).toBe('lost')
    const second = engine.reload()
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(2))
    endFirst(named('AbortError'))
    expect(await first).toBe(false)
    expect(engine.status).toBe('loading')
    endSecond(info)
    expect(await second).toBe(true)
    expect(engine.status).toBe('ready')
  })

  test('an old worker cannot speak for a new one', async () => {
    const { engine, stage: s } = stage()
    await engine.load(target)
    const oldTell = s.tell
    oldTell({ type: 'device-lost', reason: 'destroyed', message: '', recovers: false })
    await engine.reload()
    oldTell({ type: 'device-lost', reason: 'destroyed', message: '', recovers: false })
    expect(engine.status).toBe('ready')
  })
})
