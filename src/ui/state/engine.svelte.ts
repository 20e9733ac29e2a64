import type {
  AskEvent,
  AskRequest,
  DeviceReport,
  EngineEvent,
  LoadOptions,
  LoadProgress,
  Look,
  LookRequest,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Reply,
  StorageApi,
} from '../../worker/api'
import type { EngineClient, TrainingApi } from '../../worker/client'
import { explain, isAbort, nameAndMessage, type Problem } from '../text/explain'
import { en, type Messages } from '../text/messages/en'
import { surroundings } from './surroundings'

/**
 * idle: no model. probing: the GPU is being opened and tested. unfit: it cannot serve; `problem` says why.
 * recovering: the device went away, and the engine brings the model back and goes on with what it was at.
 * lost: the device or the worker went away for good; `reload` brings the same model back.
 */
export type EngineStatus =
  'probing' | 'unfit' | 'idle' | 'loading' | 'ready' | 'answering' | 'recovering' | 'lost'

/** Everything needed to load a model, and to load it again. */
export interface LoadTarget {
  label: string
  source: ModelSource
  options: LoadOptions
}

export type Connect = (onCrash: (error: Error) => void) => EngineClient

const LOST_NAMES = new Set(['DeviceLostError', 'WorkerCrashError'])

/** The engine as the page sees it: one worker, one model, one state. */
export class EngineState {
  status = $state<EngineStatus>('idle')
  device = $state.raw<DeviceReport>()
  model = $state.raw<ModelInfo>()
  /** From asking for the model until it was ready, in milliseconds. */
  loadMs = 0
  target = $state.raw<LoadTarget>()
  progress = $state.raw<LoadProgress>()
  /** How far the engine is with bringing the model back. */
  recovery = $state.raw<Extract<EngineEvent, { type: 'recovering' }>>()
  isCancelling = $state(false)
  /** What the banner says; belongs to the device or the model, never to a single answer. */
  problem = $state.raw<Problem>()

  /** Counts losses of the device: what the engine knew of earlier answers went with it. */
  losses = $state(0)
  /** An answer is under way, on a device that is there or about to come back. */
  isAsking = $state(false)

  readonly isReady = $derived(this.status === 'ready')
  readonly isBusy = $derived(['loading', 'answering', 'recovering'].includes(this.status))

  #connect: Connect
  #texts: () => Messages
  #client: EngineClient | undefined
  #probe: Promise<DeviceReport> | undefined
  #loads = 0
  /** Ends calls where the engine is gone and cannot. */
  #rejects: ((error: unknown) => void)[] = []

  constructor(connect: Connect, texts = () => en) {
    this.#connect = connect
    this.#texts = texts
  }

  /** Starts the worker and tests the GPU, once; later calls return the same report. */
  probe(): Promise<DeviceReport> {
    this.#probe ??= this.#open()
    return this.#probe
  }

  async #open(): Promise<DeviceReport> {
    const client = this.#client ?? this.#connectClient()
    if (this.status === 'idle') this.status = 'probing'
    const report = await client.probe()
    if (client !== this.#client) return report
    this.device = report
    if (!report.ok) {
      // Who is answered by a server needs no GPU.
      if (!this.#isOfServer) this.#refuse(report)
    } else if (this.status === 'probing') {
      this.status = 'idle'
    }
    return report
  }

  /** A model on a server is wanted, or there. */
  get #isOfServer(): boolean {
    return this.target?.source.kind === 'endpoint' && (this.isBusy || this.isReady)
  }

  #refuse({ problem = { name: 'UnsupportedDeviceError', message: '' } }: DeviceReport) {
    this.status = 'unfit'
    this.problem = this.#explain(problem)
  }

  #connectClient(): EngineClient {
    const client = this.#connect((error) => {
      if (client === this.#client) this.#lose(error)
    })
    this.#client = client
    client
      .watch((event) => {
        if (client === this.#client) this.#hear(event)
      })
      .catch(() => {}) // a worker that cannot even watch has crashed, and onCrash has told
    return client
  }

  #hear(event: EngineEvent) {
    switch (event.type) {
      case 'device-lost':
        this.losses++
        // A load begins again by itself; without a model the next call opens the device anew.
        if (event.recovers) {
          if (this.model) this.status = 'recovering'
        } else if (this.model || this.isBusy) {
          this.#lose({ name: 'DeviceLostError', message: event.message || event.reason })
        }
        return
      case 'recovering':
        if (this.status === 'recovering') this.recovery = event
        return
      case 'ready':
        if (this.status === 'recovering') this.status = this.isAsking ? 'answering' : 'ready'
        this.recovery = undefined
        return
      case 'not-recovered':
        if (this.status !== 'recovering') return
        if (event.name !== 'AbortError') return this.#lose(event)
        this.status = 'idle'
        this.model = this.recovery = undefined
    }
  }

  #lose(error: unknown) {
    if (this.status === 'unfit') return
    this.recovery = undefined
    this.status = 'lost'
    this.model = undefined
    this.progress = undefined
    this.problem = this.#explain(error)
    for (const reject of this.#rejects) reject(error)
  }

  #explain(error: unknown): Problem {
    return explain(error, surroundings(), this.#texts())
  }

  /** What loading would take. Throws what the engine throws. */
  async plan(source: ModelSource, options: LoadOptions): Promise<ModelPlan> {
    await this.probe()
    return this.#client!.plan(source, options)
  }

  /** Loads a model, replacing the one there is. Resolves to true when it is ready; problems go to `problem`. */
  async load(target: LoadTarget): Promise<boolean> {
    if (this.isBusy) return false
    const number = ++this.#loads
    const started = performance.now()
    try {
      if (this.status === 'lost') this.#restart()
      this.problem = undefined
      this.progress = undefined
      this.isCancelling = false
      this.target = target
      this.model = undefined
      this.status = 'loading'
      if (target.source.kind === 'endpoint') {
        if (!this.#client) this.#connectClient()
      } else {
        const report = await this.probe()
        if (!report.ok) {
          // The first probe has refused already.
          if (this.#status() !== 'unfit') this.#refuse(report)
          return false
        }
      }
      const client = this.#client
      // Let go while the GPU was being tested.
      if (this.isCancelling || !client) throw Object.assign(new Error('cancelled'), { name: 'AbortError' })
      const model = await client.load(target.source, target.options, (progress) => {
        if (client === this.#client && this.status === 'loading') this.progress = progress
      })
      if (client !== this.#client || this.#status() !== 'loading') return false
      this.model = model
      this.loadMs = performance.now() - started
      this.status = 'ready'
      return true
    } catch (error) {
      // One that was left behind with a lost engine may end under the next one.
      if (number === this.#loads) this.#fail(error)
      return false
    } finally {
      if (number === this.#loads) {
        this.progress = undefined
        this.isCancelling = false
      }
    }
  }

  // Read through a call, so that the compiler does not take the status for unchanged across an await.
  #status(): EngineStatus {
    return this.status
  }

  #fail(error: unknown) {
    if (this.#status() === 'lost' || this.#status() === 'unfit') return
    if (LOST_NAMES.has(nameAndMessage(error).name)) return this.#lose(error)
    const { device } = this
    if (device && !device.ok) this.#refuse(device)
    else this.status = 'idle'
    if (!isAbort(error)) this.problem = this.#explain(error)
  }

  /** Stops a load, also one that brings the model back; what was fetched is let go. */
  async cancelLoad() {
    if (this.status !== 'loading' && this.status !== 'recovering') return
    if (this.status === 'loading') this.isCancelling = true
    await this.#client?.cancelLoad().catch(() => {})
  }

  /** Loads the last model again, on a new worker where the old one is lost. */
  async reload(): Promise<boolean> {
    if (this.target) return this.load(this.target)
    this.#restart()
    this.problem = undefined
    await this.probe().catch((error: unknown) => this.#fail(error))
    return false
  }

  /** One reply. Throws what the engine throws; the status tells whether another question may follow. */
  async ask(request: AskRequest, onEvent: (event: AskEvent) => void): Promise<Reply> {
    const client = this.#client
    if (this.status !== 'ready' || !client) throw new Error('No model is ready. Load one first.')
    this.status = 'answering'
    this.isAsking = true
    this.problem = undefined
    try {
      return await this.#call(client, () => client.ask(request, onEvent))
    } finally {
      this.isAsking = false
      if (this.#status() === 'answering') this.status = 'ready'
    }
  }

  /** Where the last reply looked. Throws what the engine throws. */
  async look(request: LookRequest): Promise<Look> {
    const client = this.#client
    if (!this.model || !client) throw new Error('No model is ready. Load one first.')
    return this.#call(client, () => client.look(request))
  }

  /**
   * Any other call, such as those of training and of what is stored; it leaves the status as it is. Throws what the engine throws, also where
   * the device or the worker is lost under the call.
   */
  async call<T>(call: (client: TrainingApi & StorageApi) => Promise<T>): Promise<T> {
    // A failed probe has told why; what needs no GPU may still work.
    if (!this.#client) await this.probe().catch(() => {})
    const client = this.#client
    if (!client) throw new Error('The engine is not running. Reload the page.')
    return this.#call(client, () => call(client))
  }

  async #call<T>(client: EngineClient, call: () => Promise<T>): Promise<T> {
    let mine: ((error: unknown) => void) | undefined
    const { losses } = this
    try {
      return await new Promise<T>((resolve, reject) => {
        mine = reject
        this.#rejects.push(reject)
        call().then(resolve, reject)
      })
    } catch (error) {
      const isLoss = LOST_NAMES.has(nameAndMessage(error).name)
      // Of a loss that was told, it was told too what becomes of it.
      if (client === this.#client && isLoss && losses === this.losses && this.#status() !== 'lost')
        this.#lose(error)
      throw error
    } finally {
      this.#rejects = this.#rejects.filter((reject) => reject !== mine)
    }
  }

  async abort() {
    await this.#client?.abort().catch(() => {})
  }

  dismissProblem() {
    if (this.status !== 'unfit' && this.status !== 'lost') this.problem = undefined
  }

  /** Forgets the worker: the next call starts a fresh one with a fresh device. */
  #restart() {
    this.#client?.dispose()
    this.#client = undefined
    this.#probe = undefined
    this.device = undefined
    this.recovery = undefined
    this.status = 'idle'
  }

  /** Lets the worker go, and the model with it; the next call starts afresh. */
  dispose() {
    this.#restart()
    this.model = undefined
    this.progress = undefined
    this.problem = undefined
  }

  /** Destroys the device as a driver reset would; for tests of recovery. */
  async loseDevice() {
    await this.#client?.loseDevice()
  }
}
