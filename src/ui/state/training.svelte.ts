import { SvelteMap } from 'svelte/reactivity'
import type {
  ConnectorInfo,
  ConnectorLayout,
  DatasetSource,
  ExportedFile,
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
import { GradientCheck } from './gradient-check.svelte'
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
  readonly gradients: GradientCheck
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
  /** Of the list, of a run's renaming or deletion, or of a connector to chat with. */
  problem = $state.raw<Problem>()
  /** Of the files that a connector was to be imported from. */
  importProblem = $state.raw<Problem>()
  /** Counts what shows another part of the screen than what was clicked: its heading takes the focus. */
  arrivals = $state(0)

  readonly isTraining = $derived(this.live?.isGoing ?? false)
  #isResuming = $state(false)
  /** A run trains, or its data and model are looked for: others wait. */
  readonly isBusy = $derived(this.isTraining || this.#isResuming)
  /** `runs`, with the one in hand as it is by now. */
  readonly listed = $derived(this.runs.map((run) => (this.isLive(run) && this.live?.info) || run))
  /** The connector that questions go through where it is not the checkpoint's own. */
  readonly connector = $derived.by((): ConnectorInfo | undefined => {
    const chosen = this.#connector
    return chosen?.model === this.#engine.model ? chosen?.info : undefined
  })

  #connector = $state.raw<{ model: ModelInfo | undefined; info: ConnectorInfo }>()
  #engine: EngineState
  #store: RunDataStore
  #say: (text: string) => void
  /** Data of this visit's runs, kept elsewhere or not. */
  #data: Record<string, RunData | undefined> = {}
  #driving: Promise<void> | undefined
  #liveModel: ModelInfo | undefined
  /** Counts changes of `view`. */
  #moves = 0
  /** Numbers of the last question for the list, and of the one whose answer it is. */
  #asked = 0
  #answered = 0

  constructor(engine: EngineState, store: RunDataStore, say: (text: string) => void) {
    this.#engine = engine
    this.#store = store
    this.#say = say
    this.setup = new TrainingSetup(engine)
    this.gradients = new GradientCheck(engine, say)
  }

  /** Reads the recipes and lists the runs. */
  async start() {
    const isFirst = !this.hasListed
    const moves = this.#moves
    await Promise.all([this.setup.readRecipes(), this.refresh()])
    const { setup } = this
    const hasBegun = moves !== this.#moves || setup.source || setup.pairs.list.length > 0 || this.live
    // Whoever comes back finds what was cut short.
    if (isFirst && !hasBegun && this.runs.some(canGoOn)) this.goTo('runs')
  }

  /** Shows a part of the screen. */
  goTo(view: TrainView) {
    this.#moves++
    this.view = view
  }

  /** Shows a part of the screen that was not chosen by its name. */
  #arrive(view: TrainView) {
    this.goTo(view)
    this.arrivals++
  }

  async refresh() {
    const number = ++this.#asked
    try {
      const runs = await this.#engine.call((client) => client.runs())
      // A later question was answered first.
      if (number < this.#answered) return
      this.#answered = number
      this.runs = [...runs].sort((a, b) => b.createdAt - a.createdAt)
      this.hasListed = true
    } catch (error) {
      this.problem = this.#explain(error)
      return
    }
    await this.#follow()
  }

  /** Keeps up with a run that is looked at while another tab trains it. */
  async #follow() {
    const { opened } = this
    if (!opened || opened === this.live || opened.isGoing) return
    const run = this.runs.find(({ id }) => id === opened.run?.id)
    if (!run) return
    const isFurther = run.step > opened.step
    opened.adopt(run)
    if (isFurther) await this.#readLog(opened)
  }

  /** Words for an error; none for an engine that is gone, of which the banner tells. */
  #explain(error: unknown): Problem | undefined {
    return this.#engine.status === 'lost' ? undefined : explainTraining(error, surroundings())
  }

  /** True for the run in the engine's memory, which leaves with its model. */
  isLive(run: RunInfo): boolean {
    return this.live?.run?.id === run.id && this.#liveModel === this.#engine.model
  }

  /** True where a run's model is loaded. It may be answering: training takes its turn. */
  hasModelOf(run: RunInfo): boolean {
    const { status, model } = this.#engine
    return (
      (status === 'ready' || status === 'answering' || status === 'recovering') && model?.model === run.model
    )
  }

  /** Trains what the setup holds. */
  async train() {
    const { request, source } = this.setup
    if (!request || !source || !this.#engine.isReady || this.isBusy) return
    const view = new RunView(request.name)
    view.asked = 'start'
    this.opened = view
    this.#arrive('run')
    await this.#drive(view, source, (client, onEvent) => client.train($state.snapshot(request), onEvent))
  }

  /** Goes on with a run, with data that was kept or is given. What it lacks stands in `lacks`. */
  async resume(run: RunInfo, given?: DatasetSource) {
    if (this.isBusy) return
    this.#isResuming = true
    this.lacks.delete(run.id)
    const view = this.#open(run)
    view.asked = 'resume'
    try {
      // Asked for first: browsers let a folder be asked for only shortly after a click.
      const kept = await this.dataOf(run.id, true)
      if (view !== this.live) await this.#readLog(view)
      const dataset = given ?? kept?.dataset
      if (!(await this.#haveModel(run, kept?.target))) return void this.lacks.set(run.id, 'model')
      if (!dataset) return void this.lacks.set(run.id, 'data')
      if (!this.isLive(run)) view.rewind()
      await this.#drive(view, dataset, (client, onEvent) =>
        client.resumeTraining(run.id, absolute(dataset, document.baseURI), onEvent),
      )
    } finally {
      view.asked = undefined
      this.#isResuming = false
    }
  }

  /**
   * The data and model of a run, where they are known from this visit or kept from an earlier one. `mayAsk`, in a click, has
   * the browser ask for a folder that may not be read without it.
   */
  async dataOf(run: string, mayAsk = false): Promise<RunData | undefined> {
    return this.#data[run] ?? (await this.#store.load(run, mayAsk).catch(() => undefined))
  }

  /** Loads the model of a run where that needs no question: one that lies beside the page. */
  async #haveModel(run: RunInfo, target: LoadTarget | undefined): Promise<boolean> {
    if (this.hasModelOf(run)) return true
    if (!target || !liesBeside(target.source, document.baseURI)) return false
    return (await this.#engine.load(target)) && this.hasModelOf(run)
  }

  async #drive(
    view: RunView,
    dataset: DatasetSource,
    call: (client: TrainingApi, onEvent: (event: TrainingEvent) => void) => Promise<RunInfo>,
  ) {
    this.live = view
    view.isGoing = true
    view.problem = undefined
    const { target, model } = this.#engine
    this.#liveModel = model
    let hasBegun = false
    let ended: RunInfo | undefined
    const onEvent = (event: TrainingEvent) => {
      view.onEvent(event)
      if (event.type !== 'run' || hasBegun) return
      hasBegun = true
      this.lacks.delete(event.run.id)
      void this.#keep(event.run.id, dataset, target)
      void this.refresh()
      // Asked for before there was a run to stop.
      if (view.asked === 'stop') void this.#control('stop')
    }
    const driving = this.#engine
      .call((client) => call(client, onEvent))
      .then(
        (run) => {
          view.flush()
          view.run = ended = run
          this.#say(ENDINGS[run.state] ?? 'Training ended')
        },
        (error: unknown) => {
          view.flush()
          if (isAbort(error)) return this.#say('Training stopped')
          view.problem = this.#explain(error)
          this.#say(`Training ended. ${explainTraining(error, surroundings()).title}`)
        },
      )
    this.#driving = driving
    await driving
    view.asked = view.features = view.validating = undefined
    view.isGoing = false
    if (ended?.state !== 'paused') this.#leave(view)
    // Nothing is left of one that was stopped before it began.
    if (!view.run && !view.problem && this.opened === view) {
      this.opened = undefined
      if (this.view === 'run') this.#arrive('new')
    }
    await this.refresh()
    this.#settle(view)
    // A finished run needs its data for the pictures beside its captions alone.
    if (view.run?.state === 'done' && datasetBytes(dataset) > PICTURES_BYTES)
      await this.#store.delete(view.run.id).catch(() => {})
  }

  /** The engine holds the run no longer. */
  #leave(view: RunView) {
    if (this.live === view) this.live = undefined
  }

  /** Takes what the engine lists of a run. */
  #settle(view: RunView) {
    const run = this.runs.find(({ id }) => id === view.run?.id)
    if (run) view.adopt(run)
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
    const { isBeginning } = live
    live.asked = action
    try {
      await this.#engine.call(async (client) => {
        // A run that is not there yet reads its data.
        if (action === 'stop' && isBeginning) await client.cancelOpening()
        await client.controlTraining(action)
      })
    } catch (error) {
      if (!isAbort(error)) live.problem = this.#explain(error)
      live.asked = undefined
    }
  }

  /** One step of a run that is paused in memory, which is paused again behind it. */
  async stepOnce() {
    const view = this.live
    if (!view || this.isBusy) return
    view.isGoing = true
    view.problem = undefined
    await this.#control('step')
    view.flush()
    view.asked = view.features = view.validating = undefined
    view.isGoing = false
    await this.refresh()
    this.#settle(view)
    if (view.problem || view.run?.state !== 'paused') this.#leave(view)
  }

  /** Ends the run in hand behind a checkpoint and gives its memory back. It can be gone on with from there. */
  async stop() {
    const view = this.live
    await this.#control('stop')
    // One that trains ends where it is waited for.
    if (!view || view.isGoing) return
    view.flush()
    view.asked = undefined
    await this.refresh()
    this.#settle(view)
    this.#leave(view)
  }

  /** Has the run that trains paused behind a checkpoint, before another model takes its model's place. */
  async letGo() {
    const { live } = this
    if (!live) return
    if (live.isGoing && this.#engine.status !== 'lost')
      await this.#control(live.isBeginning ? 'stop' : 'pause')
    await this.#driving
    this.live = undefined
  }

  /** Looks at a run: the one in hand as it is, another one from its log. */
  async show(run: RunInfo): Promise<RunView> {
    const view = this.#open(run)
    if (view !== this.live) await this.#readLog(view)
    return view
  }

  #open(run: RunInfo): RunView {
    const { opened } = this
    const view = this.#viewOf(run)
    this.opened = view
    if (this.view !== 'run' || opened !== view) this.#arrive('run')
    return view
  }

  #viewOf(run: RunInfo): RunView {
    if (this.live && this.isLive(run)) return this.live
    if (this.opened?.run?.id !== run.id) return new RunView(run.name, run)
    this.opened.adopt(run)
    return this.opened
  }

  async #readLog(view: RunView) {
    try {
      view.fill(await this.#engine.call((client) => client.runLog(view.run!.id)))
    } catch (error) {
      view.problem = this.#explain(error)
    }
  }

  async rename(run: RunInfo, name: string) {
    const wanted = name.trim()
    if (!wanted || wanted === run.name) return
    if (!(await this.#try((client) => client.renameRun(run.id, wanted)))) return
    for (const view of [this.opened, this.live])
      if (view?.run?.id === run.id) view.run = { ...view.run, name: wanted }
  }

  async remove(run: RunInfo) {
    const { live } = this
    const isLive = this.isLive(run)
    if (isLive && live?.isGoing) await this.letGo()
    if (!(await this.#try((client) => client.deleteRun(run.id)))) return
    if (isLive && live) this.#leave(live)
    this.lacks.delete(run.id)
    await this.#forgetData(run.id)
    if (this.opened?.run?.id === run.id) this.opened = undefined
    // What was clicked is gone with its run.
    if (this.view === 'runs' || (this.view === 'run' && !this.opened)) this.#arrive('runs')
  }

  /** The logs of several runs, each as it is looked at; one that cannot be read says so. */
  async compare(runs: readonly RunInfo[]): Promise<RunView[]> {
    return Promise.all(
      runs.map(async (run) => {
        const view = new RunView(run.name, run)
        await this.#readLog(view)
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
    this.problem = undefined
    this.problem = await this.#takeConnector((client) => client.useConnector(run?.id))
    return !this.problem
  }

  /** Has questions go through a connector from files. True where they do. */
  async import(files: { path: string; file: File }[]): Promise<boolean> {
    this.importProblem = undefined
    this.importProblem = await this.#takeConnector((client) => client.importConnector(files))
    return !this.importProblem
  }

  async #takeConnector(call: (client: TrainingApi) => Promise<ConnectorInfo>): Promise<Problem | undefined> {
    const { model } = this.#engine
    try {
      const info = await this.#engine.call(call)
      this.#connector = info.name === 'checkpoint' && !info.run ? undefined : { model, info }
      this.#say(`Chatting through ${info.name === 'checkpoint' ? 'the checkpoint’s connector' : info.name}`)
      return undefined
    } catch (error) {
      return explainTraining(error, surroundings())
    }
  }

  /** True where it went well; else `problem` says why not. */
  async #try(call: (client: TrainingApi) => Promise<void>): Promise<boolean> {
    this.problem = undefined
    try {
      await this.#engine.call(call)
    } catch (error) {
      this.problem = explainTraining(error, surroundings())
    }
    const { problem } = this
    await this.refresh()
    return !problem
  }
}
