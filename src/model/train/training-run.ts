import type { ByteStore } from '../checkpoint/byte-store'
import type { TensorData } from '../checkpoint/safetensors-writer'
import type { ChatModel } from '../chat-model'
import type { JsonObject } from '../config-reader'
import { TrainingError } from '../errors'
import type { Codecs } from '../image/codecs'
import type { TrainingCheckpoint } from './checkpoint-file'
import type { Dataset, LogRecord, Recipe, RunInfo, RunState, SkippedRow } from './definition'
import { appendLog, readLog } from './log'
import { chooseRows, type RowChoice, type RunRows } from './run-rows'
import { readSettings, writeSettings, type RunSettings, type StoredSettings } from './run-settings'
import type { Runs } from './run-state'
import type { ConnectorValues } from './trained-connector'
import { Trainer, type TrainerState } from './trainer'

export interface NewRun extends RunSettings, RowChoice {
  readonly name: string
  /** Folder's name; default: a new one. */
  readonly id?: string
}

export interface RunHost {
  readonly runs: Runs
  readonly codecs: Codecs
  readonly featureStore?: ByteStore | undefined
  /** The connector in use where it is not the checkpoint's own. */
  readonly start?: ConnectorValues | undefined
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
    const trainer = await createTrainer(model, dataset, recipe, rows, host)
    try {
      const info = await host.runs.create(
        {
          name: request.name,
          model: model.opened.source.name,
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
        },
        request.id,
      )
      const settings: StoredSettings = {
        version: 1,
        evaluateEvery: request.evaluateEvery,
        captions: request.captions,
        checkpointEvery: request.checkpointEvery,
        dtype: model.plan.dtype,
        ...(dataset.heldOut && { heldOutData: dataset.heldOut.fingerprint }),
        modelConfig: model.opened.config,
        ...(request.order !== undefined && { order: request.order }),
      }
      await writeSettings(host.runs, info.id, settings)
      const run = new TrainingRun(info, trainer, settings, host)
      await run.checkpoint()
      host.onEvent({ type: 'run', run: run.info })
      return run
    } catch (error) {
      trainer.destroy()
      throw error
    }
  }

  /**
   * Goes on with a run from its last checkpoint.
   *
   * Throws: TrainingError where the model, its precision or the data are not those of the run; CheckpointError where what
   * was kept is damaged.
   */
  static async resume(model: ChatModel, dataset: Dataset, id: string, host: RunHost): Promise<TrainingRun> {
    const { runs, signal } = host
    const known = await runs.get(id)
    const settings = await readSettings(runs, id)
    demandSame('model', known.model, model.opened.source.name, 'Load that model first.')
    demandSame('precision', settings.dtype, model.plan.dtype, 'Load the model in that precision first.')
    demandSame(
      'data',
      known.dataset.fingerprint,
      dataset.fingerprint,
      `Give the same data again (${known.dataset.name}, ${known.dataset.rows} rows).`,
    )
    // Other rows would be kept from training, and the order would be another.
    demandSame(
      'held-out data',
      settings.heldOutData ?? 'a part of the data itself',
      dataset.heldOut?.fingerprint ?? 'a part of the data itself',
      'Give the same held-out data again.',
    )
    const rows = await chooseRows(
      dataset,
      { recipe: known.recipe, heldOut: known.dataset.heldOut.length, order: settings.order },
      signal,
    )
    const { run: info, checkpoint } = await runs.resume(id)
    const trainer = await createTrainer(model, dataset, known.recipe, rows, host, stateOf(checkpoint))
    host.onEvent({ type: 'run', run: info })
    return new TrainingRun(info, trainer, settings, host)
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
    this.current = { ...this.current, step: record.step, loss: record.loss }
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
    const { runs } = this.host
    const { id } = this.current
    const { step, updates, weights, m, v } = await this.trainer.state()
    const records = this.unwritten.splice(0)
    if (records.length > 0) await appendLog(runs.files, id, ...records)
    const tensors = [
      ...this.tensorsOf('weight', weights),
      ...this.tensorsOf('m', m),
      ...this.tensorsOf('v', v),
    ]
    const written = await runs.writeCheckpoint(id, { step, updates, tensors })
    const { loss, evaluationLoss } = this.current
    this.current = await runs.update(id, {
      ...(loss !== undefined && { loss }),
      ...(evaluationLoss !== undefined && { evaluationLoss }),
    })
    this.current = { ...this.current, checkpointStep: written.checkpointStep }
    this.host.onEvent({ type: 'checkpoint', step })
  }

  private tensorsOf(kind: string, values: ConnectorValues): TensorData[] {
    return [...values].map(([name, data]) => ({
      name: `${kind}/${name}`,
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
export const weightsOf = (checkpoint: TrainingCheckpoint): ConnectorValues => valuesOf(checkpoint, 'weight')

/** config.json of the model that a run trained in. Throws: TrainingError where it is lost. */
export async function modelConfigOf(runs: Runs, id: string): Promise<JsonObject> {
  return (await readSettings(runs, id)).modelConfig
}

const stateOf = (checkpoint: TrainingCheckpoint): TrainerState => ({
  step: checkpoint.step,
  updates: checkpoint.updates,
  weights: valuesOf(checkpoint, 'weight'),
  m: valuesOf(checkpoint, 'm'),
  v: valuesOf(checkpoint, 'v'),
})

/** One kind of the checkpoint's tensors, in buffers of their own: the file's is as large as all three together. */
const valuesOf = ({ tensors }: TrainingCheckpoint, kind: 'weight' | 'm' | 'v'): ConnectorValues =>
  new Map(
    [...tensors.values()].flatMap(({ name, data }) =>
      name.startsWith(`${kind}/`)
        ? [[name.slice(kind.length + 1), new Float32Array(data.slice().buffer)] as const]
        : [],
    ),
  )

async function createTrainer(
  model: ChatModel,
  dataset: Dataset,
  recipe: Recipe,
  rows: RunRows,
  host: RunHost,
  state?: TrainerState,
): Promise<Trainer> {
  let count = rows.skipped.length
  return Trainer.create(
    model,
    {
      recipe,
      dataset,
      order: rows.order,
      steps: rows.steps,
      heldOut: rows.heldOut,
      start: host.start,
      codecs: host.codecs,
      featureStore: host.featureStore,
      onSkipped: (row) => host.onEvent({ type: 'skipped', row, count: ++count }),
      onFeatures: (progress) => host.onEvent({ type: 'features', ...progress }),
      onNote: (message) => host.onEvent({ type: 'notice', message }),
    },
    state,
  )
}

function demandSame(what: string, expected: string, came: string, advice: string): void {
  if (expected === came) return
  throw new TrainingError(`train: this run's ${what} was ${expected}, but now it is ${came}. ${advice}`)
}
