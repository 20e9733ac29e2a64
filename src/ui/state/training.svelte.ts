import { SvelteMap } from 'svelte/reactivity'
import type {
  ConnectorInfo,
  ConnectorLayout,
  DatasetSource,
  ExportedFile,
  GradientCheckOptions,
  GradientReport,
  RunInfo,
  TrainingAction,
  TrainingApi,
  TrainingEvent,
} from '../../worker/client'
import type { ModelInfo } from '../../worker/api'
import { explainTraining, isAbort, type Problem } from '../text/explain'
import { absolute } from '../train/dataset-source'
import { datasetBytes, keepable, liesBeside, type RunData, type RunDataStore } from '../train/run-data'
import { canGoOn, RunView } from '../train/run-view.svelte'
import { TrainingSetup } from '../train/setup.svelte'
import type { EngineState, LoadTarget } from './engine.svelte'
import { surroundings } from './surroundings'

/** Parts of the Train screen. */
export type TrainView = 'new' | 'run' | 'runs' | 'check'

/** Data of a finished run is kept up to this size. */
const PICTURES_BYTES = 20e6

/** What a run lacks before it can go on. */
export type Lack = 'data' | 'model'

const ENDINGS: Partial<Record<RunInfo['state'], string>> = {
  done: 'Training done',
  paused: 'Training paused',
  stopped: 'Training stopped',
  failed: 'Training failed',
}

/** Training as the page sees it: the run that is prepared, the one that is trained, and those that were. */
export class Training {
  readonly setup: TrainingSetup
  view = $state<TrainView>('new')
  /** The newest first. */
  runs = $state.raw<readonly RunInfo[]>([])
  hasListed = $state(false)
  /** The run that is looked at. */
  opened = $state.raw<RunView>()
  /** The run in the engine's memory: it trains, or is paused and can go on at once. */
  live = $state.raw<RunView>()
  /** What runs lack to go on, by id, once going on was tried. */
  readonly lacks = new SvelteMap<string, Lack>()
  /** Of the list, the export, the import, or a connector to chat with. */
  problem = $state.raw<Problem>()

  readonly isTraining = $derived(this.live?.isGoing ?? false)
  /** The connector that questions go through where it is not the checkpoint's own. */
  readonly connector = $derived.by((): ConnectorInfo | undefined => {
    const chosen = this.#connector
    return chosen?.model === this.#engine.model ? chosen?.info : undefined
  })

  checked = $state.raw<{ done: number; total: number }>()
  report = $state.raw<GradientReport>()
  checkProblem = $state.raw<Problem>()

  #connector = $state.raw<{ model: ModelInfo | undefined; info: ConnectorInfo }>()
  #engine: EngineState
  #store: RunDataStore
  #say: (text: string) => void
  /** Data of this visit's runs, kept elsewhere or not. */
  #data: Record<string, RunData | undefined> = {}
  #driving: Promise<void> | undefined
  #liveModel: ModelInfo | undefined

  constructor(engine: EngineState, store: RunDataStore, say: (text: string) => void) {
    this.#engine = engine
    this.#store = store
    this.#say = say
    this.setup = new TrainingSetup(engine)
  }

  /** Reads the recipes and lists the runs. */
  async start() {
    const isFirst = !this.hasListed
    await Promise.all([this.setup.readRecipes(), this.refresh()])
    // Whoever comes back finds what was cut short.
    if (isFirst && !this.setup.source && !this.live && this.runs.some(canGoOn)) this.view = 'runs'
  }

  async refresh() {
    try {
      const runs = await this.#engine.call((client) => client.runs())
      this.runs = [...runs].sort((a, b) => b.createdAt - a.createdAt)
      this.hasListed = true
    } catch (error) {
      // The banner tells of an engine that is gone.
      if (this.#engine.status !== 'lost') this.problem = explainTraining(error, surroundings())
    }
  }

  /** True for the run in the engine's memory, which leaves with its model. */
  isLive(run: RunInfo): boolean {
    return this.live?.run?.id === run.id && this.#liveModel === this.#engine.model
  }

  /** Trains what the setup holds. */
  async train() {
    const { request, source } = this.setup
    if (!request || !source || !this.#engine.isReady || this.isTraining) return
    const view = new RunView(request.name)
    view.asked = 'start'
    await this.#drive(view, source, (client, onEvent) => client.train($state.snapshot(request), onEvent))
  }

  /** Goes on with a run, with data that was kept or is given. What it lacks stands in `lacks`. */
  async resume(run: RunInfo, given?: DatasetSource) {
    if (this.isTraining) return
    this.lacks.delete(run.id)
    const view = await this.show(run)
    view.asked = 'resume'
    try {
      const kept = await this.dataOf(run.id)
      const dataset = given ?? kept?.dataset
      if (!(await this.#haveModel(run, kept?.target))) return void this.lacks.set(run.id, 'model')
      if (!dataset) return void this.lacks.set(run.id, 'data')
      if (!this.isLive(run)) view.rewind()
      await this.#drive(view, dataset, (client, onEvent) =>
        client.resumeTraining(run.id, absolute(dataset, document.baseURI), onEvent),
      )
    } finally {
      view.asked = undefined
    }
  }

  /** The data and model of a run, where they are known from this visit or kept from an earlier one. */
  async dataOf(run: string): Promise<RunData | undefined> {
    return this.#data[run] ?? (await this.#store.load(run).catch(() => undefined))
  }

  /** Loads the model of a run where that needs no question: one that lies beside the page. */
  async #haveModel(run: RunInfo, target: LoadTarget | undefined): Promise<boolean> {
    if (this.#isModelOf(run)) return true
    if (!target || !liesBeside(target.source, document.baseURI)) return false
    return (await this.#engine.load(target)) && this.#isModelOf(run)
  }

  #isModelOf(run: RunInfo): boolean {
    return this.#engine.isReady && this.#engine.model?.model === run.model
  }

  async #drive(
    view: RunView,
    dataset: DatasetSource,
    call: (client: TrainingApi, onEvent: (event: TrainingEvent) => void) => Promise<RunInfo>,
  ) {
    this.live = this.opened = view
    this.view = 'run'
    view.isGoing = true
    view.problem = undefined
    const { target, model } = this.#engine
    this.#liveModel = model
    let isKept = false
    const onEvent = (event: TrainingEvent) => {
      if (event.type === 'run' && !isKept) {
        isKept = true
        void this.#keep(event.run.id, dataset, target)
      }
      view.onEvent(event)
    }
    const driving = this.#engine
      .call((client) => call(client, onEvent))
      .then(
        (run) => {
          view.flush()
          view.run = run
          this.#say(ENDINGS[run.state] ?? 'Training ended')
        },
        (error: unknown) => {
          view.flush()
          if (isAbort(error)) return
          view.problem = explainTraining(error, surroundings())
          this.#say(`Training ended. ${view.problem.title}`)
        },
      )
    this.#driving = driving
    await driving
    view.asked = view.features = undefined
    view.isGoing = false
    await this.refresh()
    this.#settle(view)
    // A finished run needs its data for the pictures beside its captions alone.
    if (view.run?.state === 'done' && datasetBytes(dataset) > PICTURES_BYTES)
      await this.#store.delete(view.run.id).catch(() => {})
  }

  /** Takes what the engine lists of a run, which stays in its memory only while it is paused. */
  #settle(view: RunView) {
    view.run = this.runs.find(({ id }) => id === view.run?.id) ?? view.run
    if (this.live === view && (view.problem || view.run?.state !== 'paused')) this.live = undefined
  }

  async #keep(run: string, dataset: DatasetSource, target: LoadTarget | undefined) {
    this.#data[run] = { dataset, ...(target && { target }) }
    // Without it the visitor is asked for the same files again.
    await this.#store.save(run, keepable(dataset, target)).catch(() => {})
  }

  async #forgetData(run: string) {
    delete this.#data[run]
    await this.#store.delete(run).catch(() => {})
  }

  /** Pauses the run that trains, behind the step it is at. */
  pause(): Promise<void> {
    return this.#control('pause')
  }

  async #control(action: TrainingAction) {
    const { live } = this
    if (!live) return
    live.asked = action
    try {
      await this.#engine.call((client) => client.controlTraining(action))
    } catch (error) {
      live.problem = explainTraining(error, surroundings())
      live.asked = undefined
    }
  }

  /** One step of a run that is paused in memory, which is paused again behind it. */
  async stepOnce() {
    const view = this.live
    if (!view || view.isGoing) return
    view.isGoing = true
    await this.#control('step')
    view.flush()
    view.asked = view.features = undefined
    view.isGoing = false
    await this.refresh()
    this.#settle(view)
  }

  /** Gives the memory of a paused run back. It can be gone on with from its last step. */
  async stop() {
    const view = this.live
    await this.#control('stop')
    if (!view || view.isGoing) return
    view.flush()
    view.asked = undefined
    await this.refresh()
    this.#settle(view)
  }

  /** Has the run that trains paused behind a checkpoint, before another model takes its model's place. */
  async letGo() {
    if (!this.live) return
    if (this.isTraining && this.#engine.status !== 'lost') await this.#control('pause')
    await this.#driving
    this.live = undefined
  }

  /** Looks at a run: the one in hand as it is, another one from its log. */
  async show(run: RunInfo): Promise<RunView> {
    this.view = 'run'
    if (this.live && this.isLive(run)) return (this.opened = this.live)
    const view = new RunView(run.name, run)
    this.opened = view
    try {
      view.fill(await this.#engine.call((client) => client.runLog(run.id)))
    } catch (error) {
      view.problem = explainTraining(error, surroundings())
    }
    return view
  }

  async rename(run: RunInfo, name: string) {
    const wanted = name.trim()
    if (!wanted || wanted === run.name) return
    await this.#try((client) => client.renameRun(run.id, wanted))
    const { opened } = this
    if (opened?.run?.id === run.id) opened.run = { ...opened.run, name: wanted }
  }

  async remove(run: RunInfo) {
    if (this.isLive(run)) await this.letGo()
    await this.#try((client) => client.deleteRun(run.id))
    await this.#forgetData(run.id)
    if (this.opened?.run?.id !== run.id) return
    this.opened = undefined
    if (this.view === 'run') this.view = 'runs'
  }

  /** The logs of several runs, each as it is looked at. */
  async compare(runs: readonly RunInfo[]): Promise<RunView[]> {
    return Promise.all(
      runs.map(async (run) => {
        const view = new RunView(run.name, run)
        view.fill(await this.#engine.call((client) => client.runLog(run.id)))
        return view
      }),
    )
  }

  layouts(): Promise<ConnectorLayout[]> {
    return this.#engine.call((client) => client.connectorLayouts())
  }

  exported(run: RunInfo, layout: ConnectorLayout): Promise<ExportedFile[]> {
    return this.#engine.call((client) => client.exportRun(run.id, layout))
  }

  /** Has questions go through a run's connector, or through the checkpoint's own. True where they do. */
  async use(run: RunInfo | undefined): Promise<boolean> {
    return this.#takeConnector((client) => client.useConnector(run?.id))
  }

  /** Has questions go through a connector from files. True where they do. */
  async import(files: { path: string; file: File }[]): Promise<boolean> {
    return this.#takeConnector((client) => client.importConnector(files))
  }

  async #takeConnector(call: (client: TrainingApi) => Promise<ConnectorInfo>): Promise<boolean> {
    this.problem = undefined
    const { model } = this.#engine
    try {
      const info = await this.#engine.call(call)
      this.#connector = info.name === 'checkpoint' && !info.run ? undefined : { model, info }
      this.#say(`Chatting through ${info.name === 'checkpoint' ? 'the checkpoint’s connector' : info.name}`)
      return true
    } catch (error) {
      this.problem = explainTraining(error, surroundings())
      return false
    }
  }

  async #try(call: (client: TrainingApi) => Promise<void>) {
    this.problem = undefined
    try {
      await this.#engine.call(call)
    } catch (error) {
      this.problem = explainTraining(error, surroundings())
    }
    await this.refresh()
  }

  /** Compares gradients with finite differences, and tells how far it is. */
  async checkGradients(options: GradientCheckOptions) {
    if (this.checked || !this.#engine.isReady) return
    this.report = this.checkProblem = undefined
    this.checked = { done: 0, total: 0 }
    try {
      this.report = await this.#engine.call((client) =>
        client.checkGradients(options, (done, total) => {
          if (this.checked) this.checked = { done, total }
        }),
      )
      this.#say(this.report.passed ? 'Gradients agree' : 'Gradients do not agree')
    } catch (error) {
      if (!isAbort(error)) this.checkProblem = explainTraining(error, surroundings())
    } finally {
      this.checked = undefined
    }
  }
}
