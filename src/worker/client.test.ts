// eslint-disable-next-line no-restricted-imports -- the far end of the client under test
import { expose } from 'comlink'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LoadProgress, ModelInfo } from './api'
import { connectEngine, type EngineClient, type TrainingEvent } from './client'

const never = () => new Promise<never>(() => {})

/** A Worker whose other end is in this thread, behind a real message channel. */
class ThreadlessWorker extends EventTarget {
  static engine: object = {}
  static last: ThreadlessWorker
  isTerminated = false
  #near: MessagePort
  #far: MessagePort

  constructor() {
    super()
    ThreadlessWorker.last = this
    const { port1, port2 } = new MessageChannel()
    this.#near = port1
    this.#far = port2
    this.#near.onmessage = (event) => this.dispatchEvent(new MessageEvent('message', { data: event.data }))
    expose(ThreadlessWorker.engine, port2)
  }

  postMessage(message: unknown, transfer: Transferable[] = []) {
    this.#near.postMessage(message, transfer)
  }

  terminate() {
    this.isTerminated = true
    this.#near.close()
    this.#far.close()
  }
}

const source = { kind: 'url', baseUrl: 'https://x.example/' } as const
let client: EngineClient | undefined
const connect = (engine: object, onCrash?: (error: Error) => void) => {
  ThreadlessWorker.engine = engine
  client = connectEngine(() => new Worker('engine.js'), onCrash)
  return client
}

beforeEach(() => vi.stubGlobal('Worker', ThreadlessWorker))
afterEach(() => client?.dispose())

describe('connectEngine', () => {
  test('carries results and callbacks', async () => {
    const phases: string[] = []
    const engine = connect({
      async load(
        _source: unknown,
        options: { dtype: string },
        onProgress: (p: LoadProgress) => Promise<void>,
      ) {
        await onProgress({ phase: 'config', file: 'config.json' })
        await onProgress({ phase: 'ready' })
        return { model: options.dtype } as ModelInfo
      },
    })
    const info = await engine.load(source, { dtype: 'q4' }, (progress) => phases.push(progress.phase))
    expect(info.model).toBe('q4')
    expect(phases).toEqual(['config', 'ready'])
  })

  test('carries what training tells', async () => {
    const engine = connect({
      async resumeTraining(run: string, _data: unknown, onEvent: (e: TrainingEvent) => Promise<void>) {
        await onEvent({ type: 'checkpoint', step: 7 })
        return { id: run, step: 7 }
      },
    })
    const events: TrainingEvent[] = []
    const info = await engine.resumeTraining('a', { kind: 'pairs', name: 'mine', pairs: [] }, (event) =>
      events.push(event),
    )
    expect(info).toEqual({ id: 'a', step: 7 })
    expect(events).toEqual([{ type: 'checkpoint', step: 7 }])
  })

  test('carries the name and message of an error', async () => {
    const engine = connect({
      async plan() {
        throw Object.assign(new Error('config: expected llava, came x'), { name: 'ConfigError' })
      },
    })
    await expect(engine.plan(source, { dtype: 'auto' })).rejects.toMatchObject({
      name: 'ConfigError',
      message: 'config: expected llava, came x',
    })
  })

  test('a crash rejects what is pending and what comes after, and is told once', async () => {
    const onCrash = vi.fn()
    const engine = connect({ probe: never }, onCrash)
    const pending = engine.probe()
    const worker = ThreadlessWorker.last
    worker.dispatchEvent(
      Object.assign(new Event('error', { cancelable: true }), { message: 'out of memory' }),
    )
    worker.dispatchEvent(new Event('error'))
    await expect(pending).rejects.toMatchObject({ name: 'WorkerCrashError', message: /out of memory/ })
    await expect(engine.unload()).rejects.toMatchObject({ name: 'WorkerCrashError' })
    expect(onCrash).toHaveBeenCalledTimes(1)
    expect(worker.isTerminated).toBe(true)
  })

  test('a script that cannot be loaded is told as that', async () => {
    const engine = connect({ probe: never })
    const pending = engine.probe()
    ThreadlessWorker.last.dispatchEvent(new Event('error'))
    await expect(pending).rejects.toThrow('its script could not be loaded')
  })

  test('dispose ends the worker and rejects what is pending, without a crash', async () => {
    const onCrash = vi.fn()
    const engine = connect({ ask: never }, onCrash)
    const pending = engine.ask({ messages: [], sampling: {} as never, maxNewTokens: 1 }, () => {})
    engine.dispose()
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' })
    expect(ThreadlessWorker.last.isTerminated).toBe(true)
    expect(onCrash).not.toHaveBeenCalled()
  })
})
