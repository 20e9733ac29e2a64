import type { ByteStore } from '../checkpoint/byte-store'
import type { TensorData } from '../checkpoint/safetensors-writer'
import type { ChatModel } from '../chat-model'
import type { Codecs } from '../image/codecs'
import type { TrainingCheckpoint } from './checkpoint-file'
import type { Dataset, LogRecord, Recipe, RunInfo, RunState, SkippedRow } from './definition'
import { readLog } from './log'
import { positionNote } from './picture-position'
import { expectSameData, expectSameModel, expectSameRows, identityOf } from './run-identity'
import { chooseRows, type RowChoice, type RunRows } from './run-rows'
import { readSettings, writeSettings, type RunSettings } from './run-settings'
import type { Runs } from './run-state'
import type { ConnectorValues } from './trained-connector'
import { Trainer, type TrainerState } from './trainer'

/** Begin the names of a checkpoint's tensors. */
export const WEIGHTS = 'weight/'
const FIRST_MOMENTS = 'm/'
const SECOND_MOMENTS = 'v/'

export interface NewRun extends RunSettings, RowChoice {
  readonly name: string
  /** Folder's name; default: a new one. */
  readonly id?: string
}

export interface RunHost {
  readonly runs: Runs
  readonly codecs: Codecs
  readonly featureStore?: ByteStore | undefined
  /** The connector that chats go through, where it is not the checkpoint's own. */
  readonly inUse?: { readonly name: string; readonly values: ConnectorValues } | undefined
  readonly onEvent: (event: RunEvent) => void
  readonly signal: AbortSignal
}

/** What happens while a run advances. */
export type RunEvent =
  | { type: 'run'; run: RunInfo }
  | { type: 'features'; done: number; total: number; image: string; cached: boolean }
  | LogRecord
  | { type: 'skipped'; row: SkippedRow; count: number }
  | { type: 'validating'; done: number; total: number }
  | { type: 'checkpoint'; step: number }
  | { type: 'notice'; message: string }

/** Rows of the data that are left out, as far as they are known. */
interface SkippedSoFar {
  /** By the scan. */
  readonly scanned: number
  /** Found when it was their turn. */
  readonly unusable: number[]
}

const countOf = ({ scanned, unusable }: SkippedSoFar) => scanned + unusable.length

/**
 * One run of stage 1 from its first step to its last, with everything that is kept of it. It advances a step at a time,
 * so that whoever holds the model may answer questions in between.
 */
export class TrainingRun {
  /** Records behind the last checkpoint. They are written with the next one: without it they would be dropped anyway. */
  private readonly unwritten: LogRecord[] = []

  private constructor(
    private current: RunInfo,
    private readonly trainer: Trainer,
    private readonly settings: RunSettings,
    private readonly host: RunHost,
    private readonly skipped: SkippedSoFar,
  ) {}

  get info(): RunInfo {
    return this.current
  }

  get isDone(): boolean {
    return this.trainer.step >= this.trainer.steps
  }

  /** Throws: as chooseRows and Trainer.create; nothing is kept then. */
  static async begin(
    model: ChatModel,
    dataset: Dataset,
    request: NewRun,
    host: RunHost,
  ): Promise<TrainingRun> {
    const rows = await chooseRows(dataset, request, host.signal)
    const { recipe } = request
    const skipped = { scanned: rows.skipped.length, unusable: [] }
    const trainer = await createTrainer(model, dataset, recipe, rows, { ...host, skipped })
    let created: RunInfo | undefined
    try {
      const note = positionNote(model, recipe)
      if (note !== undefined) host.onEvent({ type: 'notice', message: note })
      const identity = await identityOf(model, dataset, recipe, rows)
      const info = (created = await host.runs.create(
        {
          name: request.name,
          model: model.opened.source.name,
          dtype: model.plan.dtype,
          createdAt: Date.now(),
          recipe,
          dataset: {
            name: dataset.name,
            fingerprint: dataset.fingerprint,
            rows: dataset.length,
            skipped: rows.skipped.length,
            heldOut: rows.heldOut.rows,
          },
          state: 'running',
          step: 0,
          steps: rows.steps,
          checkpointStep: 0,
          ...(recipe.start === 'in-use' && host.inUse && { startedFrom: host.inUse.name }),
        },
        request.id,
      ))
      const { evaluateEvery, captions, checkpointEvery, order } = request
      const settings = { evaluateEvery, captions, checkpointEvery }
      await writeSettings(host.runs, info.id, {
        ...settings,
        ...identity,
        ...(order !== undefined && { order }),
      })
      const run = new TrainingRun(info, trainer, settings, host, skipped)
      await run.checkpoint()
      host.onEvent({ type: 'run', run: run.info })
      return run
    } catch (error) {
      trainer.destroy()
      // Without a checkpoint there is nothing to go on from.
      if (created) await host.runs.remove(created.id)
      throw error
    }
  }

  /**
   * Goes on with a run from its last checkpoint.
   *
   * Throws: TrainingError where the model, how it is held and speaks, or the data are not those of the run; CheckpointError
   * where what was kept is damaged.
   */
  static async resume(model: ChatModel, dataset: Dataset, id: string, host: RunHost): Promise<TrainingRun> {
    const { runs, signal } = host
    const known = await runs.get(id)
    const settings = await readSettings(runs, id)
    await expectSameModel(known, settings, model)
    expectSameData(known, settings, dataset)
    const rows = await chooseRows(
      dataset,
      { recipe: known.recipe, heldOut: known.dataset.heldOut.length, order: settings.order },
      signal,
    )
    expectSameRows(known, settings, rows)
    const { run: info, checkpoint } = await runs.resume(id)
    const skipped = { scanned: rows.skipped.length, unusable: [...(known.dataset.unusable ?? [])] }
    const trainer = await createTrainer(
      model,
      dataset,
      known.recipe,
      rows,
      { ...host, skipped },
      stateOf(checkpoint),
    )
    host.onEvent({ type: 'run', run: info })
    return new TrainingRun(info, trainer, settings, host, skipped)
  }

  /**
   * One step, with the validation and the checkpoint that fall due behind it; before the first one a validation alone.
   *
   * Throws: AbortError; as Trainer.next.
   */
  async advance(signal: AbortSignal): Promise<void> {
    const { trainer, settings } = this
    if (this.isDone) return
    if (trainer.step === 0 && settings.evaluateEvery > 0) await this.validate(signal)
    const record = await trainer.next(signal)
    this.record({ type: 'step', ...record })
    this.current = { ...this.current, step: record.step, ...(!record.skipped && { loss: record.loss }) }
    const isDue = (every: number) => this.isDone || (every > 0 && record.step % every === 0)
    if (isDue(settings.evaluateEvery)) await this.validate(signal)
    if (isDue(settings.checkpointEvery)) await this.checkpoint()
  }

  /** Writes down how a run ended or was interrupted, behind a checkpoint of where it stands. */
  async settle(state: Exclude<RunState, 'running'>): Promise<RunInfo> {
    if (this.current.checkpointStep !== this.trainer.step || this.unwritten.length > 0)
      await this.checkpoint()
    return this.change({ state })
  }

  /** Writes down that a run broke; its last checkpoint stays what it goes on from. */
  async fail(error: unknown, state: 'paused' | 'failed'): Promise<RunInfo> {
    return this.change({ state, problem: error instanceof Error ? error.message : String(error) })
  }

  /** Says that a paused run goes on. */
  goOn(): Promise<RunInfo> {
    return this.change({ state: 'running' })
  }

  async log(): Promise<LogRecord[]> {
    return [...(await readLog(this.host.runs.files, this.info.id)), ...this.unwritten]
  }

  /** The connector as it is now. */
  values(): Promise<ConnectorValues> {
    return this.trainer.values()
  }

  destroy(): void {
    this.trainer.destroy()
  }

  private async validate(signal: AbortSignal): Promise<void> {
    const { trainer, settings } = this
    const evaluation = await trainer.evaluate(signal, (done, total) =>
      this.host.onEvent({ type: 'validating', done, total }),
    )
    if (evaluation) {
      this.record({ type: 'evaluation', ...evaluation })
      this.current = { ...this.current, evaluationLoss: evaluation.loss }
    }
    await trainer.caption(settings.captions, signal, (caption) =>
      this.record({ type: 'caption', ...caption }),
    )
  }

  private record(record: LogRecord): void {
    this.unwritten.push(record)
    this.host.onEvent(record)
  }

  private async checkpoint(): Promise<void> {
    const { weights, m, v, ...state } = await this.trainer.state()
    const tensors = [
      ...this.tensorsOf(WEIGHTS, weights),
      ...this.tensorsOf(FIRST_MOMENTS, m),
      ...this.tensorsOf(SECOND_MOMENTS, v),
    ]
    const { id, loss, evaluationLoss, dataset } = this.current
    const skipped = countOf(this.skipped)
    const unusable = [...this.skipped.unusable]
    this.current = await this.host.runs.writeCheckpoint(
      id,
      { ...state, tensors },
      {
        unwritten: this.unwritten,
        changes: { loss, evaluationLoss, dataset: { ...dataset, skipped, unusable } },
      },
    )
    this.host.onEvent({ type: 'checkpoint', step: state.step })
  }

  private tensorsOf(prefix: string, values: ConnectorValues): TensorData[] {
    return [...values].map(([name, data]) => ({
      name: prefix + name,
      dtype: 'F32' as const,
      shape: this.trainer.specs[name]!.shape,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    }))
  }

  private async change(changes: Partial<RunInfo>): Promise<RunInfo> {
    this.current = await this.host.runs.update(this.current.id, changes)
    this.host.onEvent({ type: 'run', run: this.current })
    return this.current
  }
}

/** Weights of a run's last checkpoint, by the connector's own names. */
export const weightsOf = (checkpoint: TrainingCheckpoint): ConnectorValues => valuesOf(checkpoint, WEIGHTS)

const stateOf = (checkpoint: TrainingCheckpoint): TrainerState => ({
  step: checkpoint.step,
  updates: checkpoint.updates,
  skippedInARow: checkpoint.skippedInARow,
  weights: weightsOf(checkpoint),
  m: valuesOf(checkpoint, FIRST_MOMENTS),
  v: valuesOf(checkpoint, SECOND_MOMENTS),
})

/** The checkpoint's tensors of one kind, in its own buffers. */
const valuesOf = ({ tensors }: TrainingCheckpoint, prefix: string): ConnectorValues =>
  new Map(
    [...tensors].flatMap(([name, { data }]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), new Float32Array(data.buffer)] as const] : [],
    ),
  )

async function createTrainer(
  model: ChatModel,
  dataset: Dataset,
  recipe: Recipe,
  rows: RunRows,
  host: RunHost & { readonly skipped: SkippedSoFar },
  state?: TrainerState,
): Promise<Trainer> {
  const { skipped, onEvent } = host
  return Trainer.create(
    model,
    {
      recipe,
      dataset,
      order: rows.order,
      steps: rows.steps,
      heldOut: rows.heldOut,
      start: host.inUse?.values,
      codecs: host.codecs,
      featureStore: host.featureStore,
      unusable: skipped.unusable,
      onSkipped: (row) => {
        if (!row.heldOut) skipped.unusable.push(row.row)
        onEvent({ type: 'skipped', row, count: countOf(skipped) })
      },
      onFeatures: (progress) => onEvent({ type: 'features', ...progress }),
      onNote: (message) => onEvent({ type: 'notice', message }),
    },
    state,
  )
}
