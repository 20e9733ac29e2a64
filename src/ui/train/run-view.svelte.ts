import type { LogRecord, RunInfo, RunState, SkippedRow, TrainingEvent } from '../../worker/client'
import type { Problem } from '../text/explain'
import { captionHistories, History } from './history'

type Of<Type extends TrainingEvent['type']> = Extract<TrainingEvent, { type: Type }>

/** What the page has asked the engine to do with a run and waits for. */
export type Asked = 'start' | 'pause' | 'step' | 'resume' | 'stop'

/** Rows left out that are listed; all are counted. */
const LISTED_ROWS = 100

/** Hands work on once a frame; in a hidden tab, which paints no frames, once a second. */
export type Schedule = (work: () => void) => void
const onceAFrame: Schedule = (work) => {
  if (document.hidden) setTimeout(work, 1000)
  else requestAnimationFrame(work)
}

/** A run as it is looked at: told live by the engine, read from its log, or one after the other. */
export class RunView {
  run = $state.raw<RunInfo>()
  /** The name until the engine has given the run an id. */
  readonly name: string
  /** Grows in place: `version` counts its changes, at most one a frame. */
  readonly history = new History()
  version = $state(0)
  latest = $state.raw<Of<'step'>>()
  features = $state.raw<Of<'features'>>()
  validating = $state.raw<Of<'validating'>>()
  /** Rows that turned out to be unusable while it trained. */
  skipped = $state.raw<readonly SkippedRow[]>([])
  #skippedCount = $state(0)
  checkpointStep = $state(0)
  /** What the engine had to say about it. */
  notices = $state.raw<readonly string[]>([])
  asked = $state<Asked>()
  /** The engine trains it just now. */
  isGoing = $state(false)
  problem = $state.raw<Problem>()

  readonly captions = $derived.by(() => {
    void this.version
    return captionHistories(this.history.captions)
  })
  readonly step = $derived(this.latest?.step ?? this.run?.step ?? 0)
  readonly isPaused = $derived(!this.isGoing && canGoOn(this.run))
  /** Asked for, and no event has come yet: its data is read, its model measured. */
  readonly isBeginning = $derived(this.isGoing && (this.asked === 'start' || this.asked === 'resume'))
  /** All rows left out: those that its data began with, and those found since. */
  readonly skippedCount = $derived(Math.max(this.#skippedCount, this.run?.dataset.skipped ?? 0))
  /** Of these, those found since. */
  readonly foundCount = $derived(this.skippedCount - (this.run?.dataset.skipped ?? 0))
  /** What is listed of it, as far as it is by now. */
  readonly info = $derived.by((): RunInfo | undefined => {
    void this.version
    if (!this.run) return undefined
    const loss = this.history.lastLoss ?? this.run.loss
    const evaluationLoss = this.history.evaluationLosses.at(-1) ?? this.run.evaluationLoss
    return {
      ...this.run,
      step: this.step,
      checkpointStep: this.checkpointStep,
      ...(loss !== undefined && { loss }),
      ...(evaluationLoss !== undefined && { evaluationLoss }),
    }
  })

  #queue: TrainingEvent[] = []
  #isScheduled = false
  #schedule: Schedule

  constructor(name: string, run?: RunInfo, schedule: Schedule = onceAFrame) {
    this.name = name
    this.run = run
    this.checkpointStep = run?.checkpointStep ?? 0
    this.#schedule = schedule
  }

  /** Takes what is listed of it now, where nobody tells of it. */
  adopt(run: RunInfo) {
    this.run = run
    this.checkpointStep = run.checkpointStep
    if (this.latest?.step !== run.step) this.latest = undefined
  }

  /** Takes a stored log in place of what it has; what is told later stands behind it. */
  fill(records: readonly LogRecord[]) {
    this.history.rewind(-1)
    for (const record of records) this.history.add(record)
    this.version++
  }

  /** Forgets what came behind the checkpoint it goes on from. */
  rewind() {
    this.history.rewind(this.run?.checkpointStep ?? 0)
    this.latest = undefined
    // Whoever trains it finds them again.
    this.skipped = []
    this.#skippedCount = 0
    this.version++
  }

  /** Takes what the engine tells. A fast model would else redraw the page hundreds of times a second. */
  readonly onEvent = (event: TrainingEvent) => {
    this.#queue.push(event)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(() => this.flush())
  }

  flush() {
    this.#isScheduled = false
    const events = this.#queue
    this.#queue = []
    if (events.length === 0) return
    for (const event of events) this.#take(event)
    this.version++
  }

  #take(event: TrainingEvent) {
    switch (event.type) {
      case 'run':
        this.run = event.run
        this.checkpointStep = event.run.checkpointStep
        // It goes on from its checkpoint, after the GPU was lost.
        if (event.run.state === 'running' && event.run.step < this.step) this.rewind()
        if (this.asked === 'start' || this.asked === 'resume') this.asked = undefined
        return
      case 'features':
        this.features = event.done < event.total && !event.cached ? event : undefined
        return
      case 'validating':
        this.validating = event
        return
      case 'step':
        this.features = this.validating = undefined
        this.latest = event
        this.history.add(event)
        return
      case 'evaluation':
      case 'caption':
        this.validating = undefined
        this.history.add(event)
        return
      case 'skipped':
        this.#skippedCount = event.count
        if (this.skipped.length < LISTED_ROWS) this.skipped = [...this.skipped, event.row]
        return
      case 'checkpoint':
        this.checkpointStep = event.step
        return
      case 'notice':
        if (!this.notices.includes(event.message)) this.notices = [...this.notices, event.message]
    }
  }
}

/** A run that can be gone on with here. One that is said to run, though nobody holds it, was cut short. */
export function canGoOn(run: RunInfo | undefined): boolean {
  return run !== undefined && !run.isElsewhere && run.state !== 'done' && run.step < run.steps
}

/** A run whose files cannot be read: no more than its folder and the reason are known. */
export function isDamaged(run: RunInfo): boolean {
  return run.steps === 0
}

/** What a run is at. */
export type RunStatus = RunState | 'elsewhere'

export const STATUS_NAMES: Readonly<Record<RunStatus, string>> = {
  running: 'running',
  paused: 'paused',
  stopped: 'stopped',
  done: 'done',
  failed: 'failed',
  elsewhere: 'training in another tab',
}

/** What a run is at. One that nobody trains was cut short, whatever was written down last. */
export function statusOf(run: RunInfo, isGoing: boolean): RunStatus {
  if (isGoing) return 'running'
  if (run.isElsewhere) return 'elsewhere'
  return run.state === 'running' ? 'paused' : run.state
}
