import { version } from '../../package.json'
import type { Gpu } from '../kernels'
import type { ByteStore } from '../model/checkpoint/byte-store'
import type { ChatModel } from '../model/chat-model'
import { AbortError, TrainingError } from '../model/errors'
import type { Codecs } from '../model/image/codecs'
import type { Dataset } from '../model/train/definition'
import { exportConnector } from '../model/train/export/export'
import { importConnector } from '../model/train/export/import'
import { layoutsOf } from '../model/train/export/layouts'
import { checkGradients } from '../model/train/gradient-check'
import { readLog } from '../model/train/log'
import { recipes } from '../model/train/recipes'
import { readSettings } from '../model/train/run-settings'
import type { Runs } from '../model/train/run-state'
import { connectorSpecs, type ConnectorValues } from '../model/train/trained-connector'
import { planTraining } from '../model/train/training-plan'
import { TrainingRun, WEIGHTS, weightsOf, type NewRun, type RunHost } from '../model/train/training-run'
import { ConnectorInUse } from './connector-in-use'
import type {
  ConnectorInfo,
  ConnectorLayout,
  DatasetInfo,
  DatasetSource,
  ExportedFile,
  GradientCheckOptions,
  GradientReport,
  KnownRecipe,
  LogRecord,
  RunInfo,
  TrainingAction,
  TrainingApi,
  TrainingEvent,
  TrainingPlan,
  TrainingRequest,
} from './training-api'
import { describeDataset, OpenedData } from './training-data'
import { Speed } from './training-speed'

/** What the engine lends its training. */
export interface TrainingHost {
  readonly codecs: Codecs
  /** Throws: ConfigError without a loaded model. */
  model(call: string): ChatModel
  gpu(): Promise<Gpu>
  /** Runs one thing at a time, questions included. */
  exclusively<T>(run: () => Promise<T>): Promise<T>
  /** As `exclusively`, and once more where the device is lost under it. */
  throughLosses<T>(run: () => Promise<T>): Promise<T>
  /** Called behind each step of training. */
  onAdvanced(): void
  /** Resolves when a loss of the device has been told, and the model is back or given up. */
  recovered(): Promise<void>
  runs(): Promise<Runs>
  featureStore(): Promise<ByteStore | undefined>
  /** Keeps other tabs from going on with the same run, until the returned function is called; undefined where one does. */
  lockRun?: ((run: string) => Promise<(() => void) | undefined>) | undefined
  /** Runs that are locked, here or elsewhere. */
  lockedRuns?: (() => Promise<ReadonlySet<string>>) | undefined
  /** Called when the conversation's cache or the connector changed: earlier replies cannot be looked into any more. */
  onConversationLost(): void
}

/** A run that trains or is paused in memory. */
interface Live {
  run: TrainingRun
  model: ChatModel
  readonly dataset: Dataset
  readonly runHost: (signal: AbortSignal) => RunHost
  /** Its device is gone: before the next step it is made anew from its last checkpoint. */
  isLost: boolean
  readonly speed: Speed
  /** Lets other tabs have the run. */
  readonly release: () => void
  onEvent: (event: TrainingEvent) => void
  /** Set while it trains. */
  loop: Promise<RunInfo> | undefined
  wants: 'go' | 'pause' | 'stop'
  abort: AbortController
}

/** The training part of the contract: at most one run trains, and questions are answered between its steps. */
export class EngineTraining implements TrainingApi {
  private live: Live | undefined
  private readonly inUse = new ConnectorInUse()
  private readonly data = new OpenedData()
  private opening = new AbortController()
  /** The run that is about to begin or to go on. */
  private starting: string | undefined

  constructor(private readonly host: TrainingHost) {}

  async recipes(): Promise<KnownRecipe[]> {
    return Object.values(recipes)
  }

  async connectorLayouts(): Promise<ConnectorLayout[]> {
    const { opened } = this.host.model('train')
    return layoutsOf(opened.config, connectorSpecs(opened.blueprint))
  }

  async openDataset(source: DatasetSource, onProgress: (rows: number) => void): Promise<DatasetInfo> {
    const { signal } = this.opening
    return describeDataset(await this.data.open(source, signal), signal, onProgress)
  }

  async planTraining(request: TrainingRequest): Promise<TrainingPlan> {
    const dataset = await this.data.open(request.dataset, this.opening.signal)
    return this.planFrom(dataset, request)
  }

  /** `planTraining` for data from anywhere. */
  planFrom(dataset: Dataset, request: NewRun): Promise<TrainingPlan> {
    // Taken before its turn comes: it can be cancelled while it waits.
    const { signal } = this.opening
    return this.host.throughLosses(async () =>
      planTraining(this.host.model('train'), dataset, request, {
        codecs: this.host.codecs,
        featureStore: await this.host.featureStore(),
        start: this.inUse.values,
        signal,
      }),
    )
  }

  async cancelOpening(): Promise<void> {
    this.opening.abort()
    this.opening = new AbortController()
  }

  async train(request: TrainingRequest, onEvent: (e: TrainingEvent) => void): Promise<RunInfo> {
    return this.trainOn(await this.data.open(request.dataset, this.opening.signal), request, onEvent)
  }

  /** `train` on data from anywhere. */
  async trainOn(dataset: Dataset, request: NewRun, onEvent: (e: TrainingEvent) => void): Promise<RunInfo> {
    const id = request.id ?? crypto.randomUUID()
    return this.start(id, dataset, onEvent, (model, host) =>
      TrainingRun.begin(model, dataset, { ...request, id }, host),
    )
  }

  async resumeTraining(
    run: string,
    source: DatasetSource,
    onEvent: (e: TrainingEvent) => void,
  ): Promise<RunInfo> {
    const { live } = this
    if (live?.run.info.id === run) {
      live.onEvent = onEvent
      return this.goOn(live)
    }
    return this.resumeOn(run, await this.data.open(source, this.opening.signal), onEvent)
  }

  /** `resumeTraining` on data from anywhere. */
  resumeOn(run: string, dataset: Dataset, onEvent: (e: TrainingEvent) => void): Promise<RunInfo> {
    return this.start(run, dataset, onEvent, (model, host) => TrainingRun.resume(model, dataset, run, host))
  }

  async controlTraining(action: TrainingAction): Promise<void> {
    const { live } = this
    // A run that is only beginning still reads its data.
    if (action === 'stop' && this.starting) await this.cancelOpening()
    if (!live) {
      if (action === 'stop') return
      throw new TrainingError(
        `train: no run is in memory to ${action}. Choose one of the runs and resume it.`,
      )
    }
    switch (action) {
      case 'pause':
        live.wants = 'pause'
        await live.loop
        return
      case 'stop':
        live.wants = 'stop'
        // A step that waits for a download or for pictures need not be finished.
        live.abort.abort()
        if (live.loop) await live.loop
        else await this.end(live, 'stopped')
        return
      case 'resume':
        void this.goOn(live).catch(() => {})
        return
      case 'step':
        if (live.loop) throw new TrainingError('train: single steps are for a paused run. Pause it first.')
        await this.goOn(live, 1)
    }
  }

  async runs(): Promise<RunInfo[]> {
    const { live } = this
    const listed = await (await this.host.runs()).list(new Set(live?.loop ? [live.run.info.id] : []))
    const locked = (await this.host.lockedRuns?.()) ?? new Set()
    return listed.map((run) => {
      if (run.id === live?.run.info.id) return { ...run, ...live.run.info, name: run.name }
      const isElsewhere = locked.has(run.id) && run.id !== this.starting
      return isElsewhere ? { ...run, isElsewhere } : run
    })
  }

  async runLog(run: string): Promise<LogRecord[]> {
    const { live } = this
    return live?.run.info.id === run ? live.run.log() : readLog((await this.host.runs()).files, run)
  }

  async renameRun(run: string, name: string): Promise<void> {
    await (await this.host.runs()).rename(run, name)
  }

  async deleteRun(run: string): Promise<void> {
    const { live } = this
    if (live?.run.info.id === run) {
      if (live.loop) throw new TrainingError('train: this run is training. Stop it before you delete it.')
      this.drop()
    }
    const release = await this.lock(run)
    try {
      await (await this.host.runs()).remove(run)
    } finally {
      release()
    }
  }

  async exportRun(run: string, layout: ConnectorLayout): Promise<ExportedFile[]> {
    const runs = await this.host.runs()
    const info = await runs.get(run, new Set(this.live?.loop ? [this.live.run.info.id] : []))
    const checkpoint = await runs.readCheckpoint(run, WEIGHTS)
    const { modelConfig, towerConfig } = await readSettings(runs, run)
    const gpu = await this.host.gpu()
    return exportConnector({
      tensors: new Map(
        [...weightsOf(checkpoint)].map(([name, data]) => [
          name,
          { shape: checkpoint.tensors.get(WEIGHTS + name)!.shape, data },
        ]),
      ),
      layout,
      run: { ...info, checkpointStep: checkpoint.step },
      log: await this.runLog(run),
      modelConfig,
      towerConfig,
      versions: { Trilobite: version, 'Graphics adapter': gpu.adapter.description },
    })
  }

  async importConnector(files: { path: string; file: File }[]): Promise<ConnectorInfo> {
    const { opened } = this.host.model('import')
    const { name, tensors } = await importConnector(files, connectorSpecs(opened.blueprint))
    return this.put(tensors, { name })
  }

  async useConnector(run: string | undefined): Promise<ConnectorInfo> {
    if (run === undefined) return this.put(undefined, { name: 'checkpoint' })
    const runs = await this.host.runs()
    const { live } = this
    const info = await runs.get(run, new Set(live ? [live.run.info.id] : []))
    const values =
      live?.run.info.id === run && !live.isLost
        ? await this.host.exclusively(() => live.run.values())
        : weightsOf(await runs.readCheckpoint(run, WEIGHTS))
    return this.put(values, { name: info.name, run })
  }

  /** Chats through a connector of these values. Throws: CheckpointError where they do not fit the model. */
  put(values: ConnectorValues | undefined, info: Omit<ConnectorInfo, 'parameters'>): Promise<ConnectorInfo> {
    return this.host.throughLosses(async () => {
      const told = await this.inUse.put(this.host.model('connector'), values, info)
      this.host.onConversationLost()
      return told
    })
  }

  checkGradients(
    options: GradientCheckOptions,
    onProgress: (done: number, total: number) => void,
  ): Promise<GradientReport> {
    const { signal } = this.opening
    return this.host.throughLosses(async () => {
      const started = performance.now()
      const model = this.host.model('gradcheck')
      const report = await checkGradients(model, {
        ...options,
        codecs: this.host.codecs,
        start: this.inUse.values,
        signal,
        onProgress,
      })
      const { adapter } = model.vlm.gpu
      const inUse = this.inUse.name
      return {
        model: model.opened.source.name,
        ...(inUse && { connector: inUse }),
        adapter: adapter.description || [adapter.vendor, adapter.architecture].filter(Boolean).join(' '),
        ...report,
        checks: [...report.checks],
        ms: performance.now() - started,
      }
    })
  }

  /** The model is gone with its device, and will come back. */
  modelLost(): void {
    this.inUse.modelLost()
    const { live } = this
    if (!live) return
    live.isLost = true
    live.abort.abort()
  }

  /** The model is there again. What was trained goes on by itself. */
  async modelBack(model: ChatModel): Promise<void> {
    await this.inUse.modelBack(model)
  }

  /** The model is about to go, or is gone with its device: what was trained with it goes on from its last checkpoint. */
  modelGone(): void {
    this.inUse.forget()
    const { live } = this
    if (!live) return
    live.wants = 'pause'
    live.abort.abort()
    this.drop()
    const problem = new TrainingError('train: the model was unloaded. Load it again to go on.')
    void live.run.fail(problem, 'paused').catch(() => {})
  }

  private async start(
    run: string,
    dataset: Dataset,
    onEvent: (e: TrainingEvent) => void,
    make: (model: ChatModel, host: RunHost) => Promise<TrainingRun>,
  ): Promise<RunInfo> {
    if (this.starting || this.live?.loop) {
      throw new TrainingError('train: another run is training. Pause or stop it first.')
    }
    this.starting = run
    try {
      this.live = await this.startLive(run, dataset, onEvent, make)
    } finally {
      this.starting = undefined
    }
    return this.goOn(this.live)
  }

  private async startLive(
    id: string,
    dataset: Dataset,
    onEvent: (e: TrainingEvent) => void,
    make: (model: ChatModel, host: RunHost) => Promise<TrainingRun>,
  ): Promise<Live> {
    if (this.live) await this.end(this.live, 'paused')
    const runs = await this.host.runs()
    const featureStore = await this.host.featureStore()
    const release = await this.lock(id)
    const abort = new AbortController()
    const speed = new Speed()
    // Events come before there is a run to ask for its listener.
    let live: Live | undefined
    const runHost = (signal: AbortSignal): RunHost => {
      const { name, values } = this.inUse
      return {
        runs,
        codecs: this.host.codecs,
        featureStore,
        inUse: values && name !== undefined ? { name, values } : undefined,
        signal: AbortSignal.any([signal, this.opening.signal]),
        onEvent: (event) => {
          // Captions are written in the conversation's cache.
          if (event.type === 'caption') this.host.onConversationLost()
          const tell = live?.onEvent ?? onEvent
          tell(speed.complete(event, live?.run.info.steps))
        },
      }
    }
    try {
      return await this.host.throughLosses(async () => {
        const model = this.host.model('train')
        const run = await make(model, runHost(abort.signal))
        const rest = { isLost: false, loop: undefined, wants: 'go' as const, abort }
        return (live = { run, model, dataset, runHost, speed, release, onEvent, ...rest })
      })
    } catch (error) {
      release()
      throw error
    }
  }

  /** Throws: TrainingError where another tab trains the run. */
  private async lock(run: string): Promise<() => void> {
    const { lockRun } = this.host
    const release = lockRun ? await lockRun(run) : () => {}
    if (release) return release
    throw new TrainingError('train: this run is training in another tab or process. Pause it there first.')
  }

  /** Trains until the run ends, is paused or has done `most` steps. */
  private goOn(live: Live, most = Infinity): Promise<RunInfo> {
    if (live.loop) return live.loop
    live.wants = 'go'
    live.abort = new AbortController()
    live.speed.restart()
    live.loop = this.loop(live, most).finally(() => {
      live.loop = undefined
    })
    return live.loop
  }

  private async loop(live: Live, most: number): Promise<RunInfo> {
    for (let done = 0; ;) {
      try {
        if (live.wants === 'go') await this.revive(live)
        if (!live.isLost && live.run.info.state !== 'running') await live.run.goOn()
        for (; done < most && live.wants === 'go' && !live.run.isDone; done++) await this.advance(live)
        if (live.wants === 'stop')
          return await this.end(live, live.run.isDone && !live.isLost ? 'done' : 'stopped')
        if (live.run.isDone && !live.isLost) return await this.end(live, 'done')
        return await this.settle(live, 'paused')
      } catch (error) {
        await this.host.recovered()
        // The model is gone, and what became of the run is written down.
        if (this.live !== live) return { ...live.run.info, state: 'paused' }
        if (live.isLost) done = 0
        else if (error instanceof AbortError) live.wants = live.wants === 'stop' ? 'stop' : 'pause'
        else return this.broken(live, error)
      }
    }
  }

  /** One step, when its turn comes. */
  private advance(live: Live): Promise<void> {
    return this.host.exclusively(async () => {
      // The model may have gone while others had their turn.
      if (this.live !== live || live.isLost) throw new AbortError('train: the model was unloaded.')
      await live.run.advance(live.abort.signal)
      this.host.onAdvanced()
    })
  }

  /** Makes a run whose device was lost anew from its last checkpoint. */
  private async revive(live: Live): Promise<void> {
    if (!live.isLost) return
    live.run.destroy()
    try {
      await this.host.throughLosses(async () => {
        const model = this.host.model('train')
        const abort = new AbortController()
        const run = await TrainingRun.resume(
          model,
          live.dataset,
          live.run.info.id,
          live.runHost(abort.signal),
        )
        Object.assign(live, { run, model, abort, isLost: false })
      })
    } catch (error) {
      live.isLost = false // of losses it would have been made again: it cannot be
      throw error
    }
    live.speed.restart()
  }

  private async broken(live: Live, error: unknown): Promise<never> {
    const { run } = live
    const isBroken = error instanceof TrainingError
    const info = await run.fail(error, isBroken ? 'failed' : 'paused').catch(() => run.info)
    this.drop()
    live.onEvent({ type: 'run', run: info })
    throw error
  }

  /** Writes a run's end down and gives its memory back. */
  private async end(live: Live, state: 'done' | 'stopped' | 'paused'): Promise<RunInfo> {
    const info = await this.settle(live, state)
    if (this.live === live) this.drop()
    return info
  }

  /** Writes down where a run stands: of one whose device was lost, that is its last checkpoint. */
  private async settle(live: Live, state: 'done' | 'stopped' | 'paused'): Promise<RunInfo> {
    if (!live.isLost) return this.host.exclusively(() => live.run.settle(state))
    const runs = await this.host.runs()
    const { id } = live.run.info
    const { step } = await runs.readCheckpoint(id, WEIGHTS)
    return runs.update(id, { state, step })
  }

  private drop(): void {
    const { live } = this
    this.live = undefined
    if (!live) return
    live.run.destroy()
    if (!live.model.vlm.gpu.lostError) live.model.vlm.arena.trim()
    live.release()
  }
}
