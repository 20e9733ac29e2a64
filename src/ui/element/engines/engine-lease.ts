import type {
  AskEvent,
  AskRequest,
  DeviceReport,
  EngineEvent,
  GpuMemory,
  LoadOptions,
  LoadProgress,
  Look,
  LookRequest,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Reply,
} from '../../../worker/api'
import type {
  ConnectorLayout,
  DatasetSource,
  EngineClient,
  GradientCheckOptions,
  TrainingAction,
  TrainingEvent,
  TrainingRequest,
} from '../../../worker/client'
import { engineError, quietly, tell } from './engine-calls'
import { modelKey } from './engine-key'
import type { SharedEngine } from './engine-shared'

/** What a lease wants of its pool. */
export interface Engines {
  /** Any living engine, or a fresh one. */
  any(): SharedEngine
  /** The engine where this lease may have that model, replacing nobody's. */
  forModel(key: string, lease: EngineLease, own: SharedEngine | undefined): SharedEngine
  leave(lease: EngineLease, engine: SharedEngine): void
}

/** An engine as one element holds it: bound to one real engine at a time, which others may be bound to as well. */
export class EngineLease implements EngineClient {
  readonly #engines: Engines
  readonly #onCrash: (error: Error) => void
  #engine: SharedEngine | undefined
  #isDisposed = false
  #watchers: ((event: EngineEvent) => void)[] = []
  /** Ends calls that would outlive the lease. */
  readonly #rejects = new Set<(error: unknown) => void>()

  constructor(engines: Engines, onCrash: (error: Error) => void) {
    this.#engines = engines
    this.#onCrash = onCrash
  }

  probe = (): Promise<DeviceReport> => this.#forward((client) => client.probe())

  plan = (source: ModelSource, options: LoadOptions): Promise<ModelPlan> =>
    this.#forward((client) => client.plan(source, options))

  // Nothing is awaited before the engine is chosen and taken: loads that begin at the same moment see one another.
  async load(
    source: ModelSource,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<ModelInfo> {
    this.#refuseIfDisposed()
    const key = modelKey(source, options)
    const engine = this.#engines.forModel(key, this, this.#engine)
    if (engine === this.#engine) quietly(engine.asks.abort(this))
    else this.#bind(engine)
    return this.#call(engine, () => engine.load(this, key, source, options, onProgress))
  }

  async cancelLoad(): Promise<void> {
    this.#refuseIfDisposed()
    const engine = this.#engine
    if (engine?.isLoadingFor(this)) await this.#call(engine, () => engine.release(this))
  }

  async ask(request: AskRequest, onEvent: (event: AskEvent) => void): Promise<Reply> {
    const engine = this.#requireModel('ask')
    const pass = (event: AskEvent) => {
      if (!this.#isDisposed) onEvent(event)
    }
    return this.#call(engine, () => engine.asks.ask(this, request, pass))
  }

  async abort(): Promise<void> {
    this.#refuseIfDisposed()
    const engine = this.#engine
    if (engine) await this.#call(engine, () => engine.asks.abort(this))
  }

  async look(request: LookRequest): Promise<Look> {
    const engine = this.#requireModel('look')
    const { lastOwner } = engine.asks
    if (lastOwner && lastOwner !== this)
      throw engineError(
        'ConfigError',
        'look: expected this answer to be the engine’s last, but another chat on this page has asked since. ' +
          'Regenerate asks again.',
      )
    return this.#call(engine, () => engine.client.look(request))
  }

  async unload(): Promise<void> {
    this.#refuseIfDisposed()
    const engine = this.#engine
    if (!engine) return
    if (engine.isUsedByOthersThan(this)) return this.#leave()
    quietly(engine.asks.abort(this))
    await this.#call(engine, () => engine.unload(this))
  }

  /** Starts no engine: there is nothing to tell before one is needed. */
  async watch(onEvent: (event: EngineEvent) => void): Promise<void> {
    this.#refuseIfDisposed()
    this.#watchers.push(onEvent)
  }

  loseDevice = (): Promise<void> => this.#forward((client) => client.loseDevice())

  /** As `unload`: the device may be another's too. */
  close(): Promise<void> {
    return this.unload()
  }

  async gpuMemory(): Promise<GpuMemory> {
    this.#refuseIfDisposed()
    const engine = this.#engine
    if (!engine) return { allocatedBytes: 0, peakBytes: 0 }
    return this.#call(engine, () => engine.client.gpuMemory())
  }

  storedModels = () => this.#forward((client) => client.storedModels())
  removeStored = (id: string) => this.#forward((client) => client.removeStored(id))
  verifyStored = (id: string, onProgress: (doneBytes: number, totalBytes: number) => void) =>
    this.#forward((client) => client.verifyStored(id, onProgress))
  cancelVerify = () => this.#forward((client) => client.cancelVerify())
  recipes = () => this.#forward((client) => client.recipes())
  connectorLayouts = () => this.#forward((client) => client.connectorLayouts())
  openDataset = (source: DatasetSource, onProgress: (rows: number) => void) =>
    this.#forward((client) => client.openDataset(source, onProgress))
  planTraining = (request: TrainingRequest) => this.#forward((client) => client.planTraining(request))
  cancelOpening = () => this.#forward((client) => client.cancelOpening())
  train = (request: TrainingRequest, onEvent: (event: TrainingEvent) => void) =>
    this.#forward((client) => client.train(request, onEvent))
  resumeTraining = (run: string, dataset: DatasetSource, onEvent: (event: TrainingEvent) => void) =>
    this.#forward((client) => client.resumeTraining(run, dataset, onEvent))
  controlTraining = (action: TrainingAction) => this.#forward((client) => client.controlTraining(action))
  runs = () => this.#forward((client) => client.runs())
  runLog = (run: string) => this.#forward((client) => client.runLog(run))
  renameRun = (run: string, name: string) => this.#forward((client) => client.renameRun(run, name))
  deleteRun = (run: string) => this.#forward((client) => client.deleteRun(run))
  exportRun = (run: string, layout: ConnectorLayout) =>
    this.#forward((client) => client.exportRun(run, layout))
  importConnector = (files: { path: string; file: File }[]) =>
    this.#forward((client) => client.importConnector(files))
  useConnector = (run: string | undefined) => this.#forward((client) => client.useConnector(run))
  checkGradients = (options: GradientCheckOptions, onProgress: (done: number, total: number) => void) =>
    this.#forward((client) => client.checkGradients(options, onProgress))

  dispose(): void {
    this.#isDisposed = true
    this.#watchers = []
    for (const reject of this.#rejects) reject(disposed())
    this.#rejects.clear()
    this.#leave()
  }

  /** The engine is gone. Its pool has ended the calls and tells why. */
  unbind(): void {
    this.#engine = undefined
  }

  tellEvent(event: EngineEvent): void {
    for (const watcher of [...this.#watchers]) tell(watcher, event)
  }

  tellCrash(error: Error): void {
    if (!this.#isDisposed) tell(this.#onCrash, error)
  }

  async #forward<T>(call: (client: EngineClient) => Promise<T>): Promise<T> {
    this.#refuseIfDisposed()
    const engine = this.#engine ?? this.#engines.any()
    this.#bind(engine)
    return this.#call(engine, () => call(engine.client))
  }

  #call<T>(engine: SharedEngine, call: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const owners = [this.#rejects, engine.rejects]
      for (const rejects of owners) rejects.add(reject)
      call()
        .then(resolve, reject)
        .finally(() => owners.forEach((rejects) => rejects.delete(reject)))
    })
  }

  #bind(engine: SharedEngine): void {
    if (engine === this.#engine) return
    this.#leave()
    this.#engine = engine
    engine.leases.add(this)
  }

  #leave(): void {
    const engine = this.#engine
    this.#engine = undefined
    if (engine) this.#engines.leave(this, engine)
  }

  #requireModel(call: string): SharedEngine {
    this.#refuseIfDisposed()
    if (this.#engine?.hasLoadedFor(this)) return this.#engine
    throw engineError(
      'ConfigError',
      `${call}: expected a loaded model, but this chat has none. Load one first.`,
    )
  }

  #refuseIfDisposed(): void {
    if (this.#isDisposed) throw disposed()
  }
}

const disposed = () => engineError('AbortError', 'engine: this chat was closed before the engine answered.')
