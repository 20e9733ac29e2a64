import { vi } from 'vitest'
import type { EngineEvent, LoadProgress, ModelInfo, ModelSource, Reply } from '../../../worker/api'
import type { EngineClient } from '../../../worker/client'
import { EnginePool } from './engine-pool'

interface Call {
  name: string
  args: unknown[]
  resolve: (value?: unknown) => void
  reject: (error: Error) => void
}

export const named = (name: string, message = 'why') => Object.assign(new Error(message), { name })

/** A real engine's client whose calls end when a test says so; closed ones reject as the real client does. */
export class FakeEngine {
  /** In the order they came; `watch` is not among them. */
  readonly calls: Call[] = []
  isDisposed = false
  emit: (event: EngineEvent) => void = () => {}
  #closed: Error | undefined

  constructor(readonly onCrash: (error: Error) => void) {}

  readonly client = new Proxy({} as EngineClient, {
    get: (_, name: string) => {
      if (name === 'dispose') return () => this.#dispose()
      if (name === 'watch') return async (onEvent: typeof this.emit) => void (this.emit = onEvent)
      return (...args: unknown[]) =>
        new Promise((resolve, reject) => {
          if (this.#closed) return reject(this.#closed)
          this.calls.push({ name, args, resolve, reject })
        })
    },
  })

  get names(): string[] {
    return this.calls.map(({ name }) => name)
  }

  all(name: string): Call[] {
    return this.calls.filter((call) => call.name === name)
  }

  last(name: string): Call {
    const call = this.all(name).at(-1)
    if (!call) throw new Error(`fake engine: expected a call of ${name}, came ${this.names.join()}`)
    return call
  }

  progress(progress: LoadProgress): void {
    ;(this.last('load').args[2] as (progress: LoadProgress) => void)(progress)
  }

  /** A token of the question asked last. */
  say(text: string, question = this.last('ask')): void {
    ;(question.args[1] as (event: object) => void)({ type: 'token', text, tokenId: 1, index: 0 })
  }

  lose(): void {
    this.emit({ type: 'device-lost', reason: 'lost', message: 'driver reset', recovers: false })
  }

  crash(error = named('WorkerCrashError')): void {
    this.#close(error)
    this.onCrash(error)
  }

  #dispose() {
    this.isDisposed = true
    this.#close(named('AbortError', 'closed'))
  }

  #close(error: Error) {
    if (this.#closed) return
    this.#closed = error
    for (const { reject } of this.calls) reject(error)
  }
}

export const url = (name: string): ModelSource => ({ kind: 'url', baseUrl: `https://x.example/${name}/` })
export const info = (model: string) => ({ model }) as ModelInfo
export const reply = (text: string) => ({ text, finish: 'stop' }) as Reply
export const question = { messages: [], sampling: {} as never, maxNewTokens: 1 }

/** Lets everything that can go on without a test's word go on. */
export const settle = () => new Promise((resolve) => setTimeout(resolve))

/** How a promise stands. */
export function watchEnd<T>(promise: Promise<T>) {
  const end: { value?: T; error?: Error; isOver: boolean } = { isOver: false }
  promise
    .then(
      (value) => (end.value = value),
      (error: Error) => (end.error = error),
    )
    .finally(() => (end.isOver = true))
  return end
}

export class Stage {
  readonly engines: FakeEngine[] = []
  readonly pool = new EnginePool((onCrash) => {
    const engine = new FakeEngine(onCrash)
    this.engines.push(engine)
    return engine.client
  })

  lease() {
    const onCrash = vi.fn<(error: Error) => void>()
    const onEvent = vi.fn<(event: EngineEvent) => void>()
    const lease = this.pool.lease(onCrash)
    void lease.watch(onEvent)
    const load = (source: ModelSource | string, options = {}) => {
      const phases: string[] = []
      const end = watchEnd(
        lease.load(
          typeof source === 'string' ? url(source) : source,
          { dtype: 'q8', ...options },
          (progress) => phases.push(progress.phase),
        ),
      )
      return { end, phases }
    }
    const ask = () => {
      const tokens: string[] = []
      const end = watchEnd(
        lease.ask(question, (event) => {
          if (event.type === 'token') tokens.push(event.text)
        }),
      )
      return { end, tokens }
    }
    return { lease, load, ask, onCrash, onEvent }
  }

  /** A lease that has loaded that model, on the engine where it came to be. */
  async loaded(model: string) {
    const user = this.lease()
    const { end } = user.load(model)
    const engine = this.engines.findLast(({ names }) => names.includes('load'))!
    engine.last('load').resolve(info(model))
    await settle()
    if (end.value?.model !== model) throw new Error(`stage: expected ${model} loaded, came ${end.error}`)
    return { ...user, engine }
  }
}
