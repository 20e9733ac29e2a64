import { Encoder } from '../../kernels'
import type { ByteStore } from '../checkpoint/byte-store'
import type { ChatModel } from '../chat-model'
import { AbortError, TrainingError } from '../errors'
import type { Codecs } from '../image/codecs'
import type { CaptionRecord, Dataset, EvaluationRecord, Recipe, StepRecord } from './definition'
import { spareBytes } from './activation-memory'
import { captionPicture } from './caption'
import { FeatureCache } from './features'
import { newConnector } from './initialise'
import type { DataOrder } from './order'
import { processorsFor } from './processors'
import { isSamplerParameter } from './optimizer'
import { rates } from './schedule'
import { SampleReader, type ReaderOptions } from './sample-reader'
import { Stage1, type StepNumbers } from './stage1'
import { towerIdentities } from './weights-identity'
import { TrainedConnector, type ConnectorValues } from './trained-connector'
import type { TrainingSample } from './training-pass'

/** Steps in which a trial looks for a micro-batch that can be used. */
const TRIED_STEPS = 4
/** A pass that takes longer is not tried twice. */
const SLOW_MS = 20_000

export interface TrainerOptions extends Pick<ReaderOptions, 'unusable' | 'onSkipped' | 'onFeatures'> {
  readonly recipe: Recipe
  readonly dataset: Dataset
  readonly order: DataOrder
  /** Of the whole run. */
  readonly steps: number
  /** Rows kept for validation, and where they lie. */
  readonly heldOut: { readonly dataset: Dataset; readonly rows: readonly number[] }
  /** The connector that chats go through, where it is not the checkpoint's own; recipes may begin with it. */
  readonly start?: ConnectorValues | undefined
  readonly codecs: Codecs
  readonly featureStore?: ByteStore | undefined
  readonly onNote?: ((note: string) => void) | undefined
}

/** Everything a run's later steps depend on; the data's order follows from the recipe and the step. */
export interface TrainerState {
  readonly step: number
  readonly updates: number
  /** Steps up to this one without a finite gradient. */
  readonly skippedInARow: number
  readonly weights: ConnectorValues
  readonly m: ConnectorValues
  readonly v: ConnectorValues
}

/** Stage 1 on a loaded model and a dataset, step by step. */
export class Trainer {
  /** Steps done. */
  step = 0
  /** Steps whose pictures the towers have been shown. */
  private preparedSteps = 0
  /** Steps up to this one whose rows were all of no use. */
  private emptyInARow = 0

  private constructor(
    private readonly model: ChatModel,
    readonly options: TrainerOptions,
    private readonly stage: Stage1,
    readonly features: FeatureCache,
    private readonly reader: SampleReader,
  ) {}

  /**
   * Makes a connector of its own beside the model's, from the recipe's start or an earlier state.
   *
   * Throws: TrainingError for models that cannot be trained; CheckpointError for a state of another connector.
   */
  static async create(model: ChatModel, options: TrainerOptions, state?: TrainerState): Promise<Trainer> {
    const { vlm, opened } = model
    const { recipe } = options
    const trained = vlm.gpu.allOrNone(() => new TrainedConnector(vlm.gpu, opened.blueprint))
    try {
      const stage = new Stage1(vlm, trained, recipe, spareBytes(model, recipe.batchSize))
      const processors = processorsFor(recipe, opened.processors, trained.connector)
      const features = new FeatureCache(vlm, {
        processors,
        codecs: options.codecs,
        towerKeys: await towerIdentities(model, processors),
        store: options.featureStore,
        onNote: options.onNote,
      })
      const { connector } = trained
      const reader = new SampleReader(model, { ...options, connector, features })
      const trainer = new Trainer(model, options, stage, features, reader)
      if (state) trainer.restore(state)
      else if (recipe.start === 'fresh') trained.write(newConnector(trained.specs, recipe.seed))
      else trained.write(recipe.start === 'in-use' ? inUse(options.start) : await model.connectorValues())
      await vlm.gpu.check()
      return trainer
    } catch (error) {
      trained.destroy()
      throw error
    }
  }

  get steps(): number {
    return this.options.steps
  }

  /** Shapes and kinds of what learns, by the connector's own names. */
  get specs() {
    return this.stage.trained.specs
  }

  /** Whether anything learns at the rate of samplers. */
  private get hasSamplers(): boolean {
    return Object.keys(this.specs).some(isSamplerParameter)
  }

  /**
   * Runs the next step. An aborted one leaves everything as it was, and one whose rows are all of no use changes nothing but
   * the step's number.
   *
   * Throws: AbortError; TrainingError where no row of a whole epoch can be used, or numbers are not finite; DeviceLostError.
   */
  async next(signal: AbortSignal): Promise<StepRecord> {
    const { recipe, order, dataset } = this.options
    const started = performance.now()
    await this.prepareAhead(signal)
    const microBatches: TrainingSample[][] = []
    for (const batch of order.microBatches(this.step)) {
      const samples = await this.reader.samples(dataset, batch, signal)
      if (samples.length > 0) microBatches.push(samples)
    }
    if (signal.aborted) throw new AbortError('train: stopped by the reader.')
    const rate = rates(recipe, this.step, this.steps)
    let numbers: StepNumbers
    if (microBatches.length > 0) {
      numbers = await this.stage.step(microBatches, rate)
      this.emptyInARow = 0
    } else numbers = this.emptyStep()
    this.step++
    const { loss, microLosses, gradNorm, tokens, learnedTokens, isSkipped } = numbers
    return {
      step: this.step,
      loss,
      microLosses,
      lr: rate.lr,
      ...(rate.samplerLr !== undefined && this.hasSamplers && { samplerLr: rate.samplerLr }),
      gradNorm,
      tokens,
      learnedTokens,
      samples: microBatches.reduce((sum, batch) => sum + batch.length, 0),
      ms: performance.now() - started,
      ...(isSkipped && { skipped: true as const }),
    }
  }

  /** A step without samples. Throws: TrainingError after an epoch of them. */
  private emptyStep(): StepNumbers {
    const { order, steps } = this.options
    this.emptyInARow++
    if (this.emptyInARow >= Math.min(order.stepsPerEpoch, steps)) {
      throw new TrainingError(
        `train: not one row of ${this.emptyInARow} steps can be used. Look at the skipped rows and mend the data.`,
      )
    }
    return { loss: NaN, microLosses: [], gradNorm: NaN, tokens: 0, learnedTokens: 0, isSkipped: true }
  }

  /**
   * Takes the gradients of the first micro-batch that can be used, without using them.
   *
   * Returns: seconds of a whole step without its towers, seconds of the towers for a picture, and bytes of activations.
   * Throws: as `next`; OutOfMemoryError.
   */
  async trial(
    signal: AbortSignal,
  ): Promise<{ secondsPerStep: number; secondsPerPicture: number; activationBytes: number }> {
    const { order, dataset, recipe } = this.options
    const { gpu } = this.model.vlm
    const before = gpu.allocatedBytes
    let samples: TrainingSample[] = []
    const started = performance.now()
    const first = Array.from({ length: Math.min(TRIED_STEPS, this.steps) }, (_, step) =>
      order.microBatches(step),
    ).flat()
    for (const rows of first) {
      samples = await this.reader.samples(dataset, rows, signal)
      if (samples.length > 0) break
    }
    const towersMs = performance.now() - started
    if (samples.length === 0) {
      throw new TrainingError(
        `train: none of the rows of the first ${first.length} micro-batches can be used. Look at the skipped rows and mend the data.`,
      )
    }
    let ms = await this.timeOf(samples)
    // The first pass also compiles.
    if (ms < SLOW_MS && !signal.aborted) ms = await this.timeOf(samples)
    await gpu.check()
    const isCached = this.features.computed === 0
    return {
      secondsPerStep: (ms / 1000) * recipe.accumulate,
      secondsPerPicture: isCached ? 0 : towersMs / 1000 / this.features.computed,
      activationBytes: gpu.allocatedBytes - before,
    }
  }

  /** Milliseconds of a micro-batch's passes. */
  private async timeOf(samples: readonly TrainingSample[]): Promise<number> {
    const started = performance.now()
    await this.stage.gradients(samples)
    return performance.now() - started
  }

  /** Loss of each held-out row that can be used, one at a time; nothing is changed. */
  async heldOutLosses(
    signal: AbortSignal,
    onProgress: (done: number, total: number) => void = () => {},
  ): Promise<number[]> {
    const { dataset, rows } = this.options.heldOut
    const losses: number[] = []
    for (const [i, row] of rows.entries()) {
      onProgress(i, rows.length)
      if (signal.aborted) throw new AbortError('train: stopped by the reader.')
      const { ahead } = this.features
      if (i % ahead === 0) await this.reader.prepare(dataset, rows.slice(i, i + ahead), signal)
      const [sample] = await this.reader.samples(dataset, [row], signal)
      if (sample) losses.push(...(await this.stage.losses([sample])))
    }
    return losses
  }

  /** Mean of the held-out rows' losses; undefined where there are none. */
  async evaluate(
    signal: AbortSignal,
    onProgress?: (done: number, total: number) => void,
  ): Promise<EvaluationRecord | undefined> {
    const losses = await this.heldOutLosses(signal, onProgress)
    if (losses.length === 0) return undefined
    return {
      step: this.step,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      samples: losses.length,
    }
  }

  /** What the model says about the first few held-out pictures, greedily; each as soon as it is said. */
  async caption(
    count: number,
    signal: AbortSignal,
    onCaption: (record: CaptionRecord) => void,
  ): Promise<void> {
    const { dataset, rows } = this.options.heldOut
    for (const row of rows.slice(0, count)) {
      if (signal.aborted) throw new AbortError('train: stopped by the reader.')
      const sample = await this.reader.read(dataset, row)
      const [picture] = sample ? await this.reader.pictures(dataset, [sample], signal) : []
      if (!sample || !picture || picture instanceof Error) continue
      const caption = await captionPicture(this.model, {
        connector: this.stage.trained.connector,
        recipe: this.options.recipe,
        conversation: sample.conversations,
        picture,
        signal,
      })
      const truth = sample.conversations.find(({ from }) => from === 'gpt')?.value ?? ''
      onCaption({ step: this.step, row, image: sample.image ?? '', truth, caption })
    }
  }

  /** Everything the next steps depend on. */
  async state(): Promise<TrainerState> {
    const { vlm } = this.model
    const { trained } = this.stage
    const weights = await trained.read(vlm.arena)
    const enc = new Encoder(vlm.gpu, vlm.arena, 'read moments')
    const m = new Map<string, Float32Array<ArrayBuffer>>()
    const v = new Map<string, Float32Array<ArrayBuffer>>()
    for (const [name, moments] of trained.moments) {
      m.set(name, (await enc.read(moments.m)) as Float32Array<ArrayBuffer>)
      v.set(name, (await enc.read(moments.v)) as Float32Array<ArrayBuffer>)
    }
    enc.end()
    const { updates, skippedInARow } = this.stage
    return { step: this.step, updates, skippedInARow, weights, m, v }
  }

  /** The connector's weights as they are now. */
  values(): Promise<ConnectorValues> {
    return this.stage.trained.read(this.model.vlm.arena)
  }

  private restore({ step, updates, skippedInARow, weights, m, v }: TrainerState): void {
    const { trained } = this.stage
    trained.write(weights)
    trained.writeMoments(m, v)
    this.step = step
    this.stage.updates = updates
    this.stage.skippedInARow = skippedInARow
  }

  destroy(): void {
    this.stage.trained.destroy()
  }

  /** Where towers come and go, one visit of each serves many steps. */
  private async prepareAhead(signal: AbortSignal): Promise<void> {
    if (this.step < this.preparedSteps) return
    const { order, dataset } = this.options
    const rows: number[] = []
    let step = this.step
    do rows.push(...order.microBatches(step++).flat())
    while (step < this.steps && rows.length < this.features.ahead)
    await this.reader.prepare(dataset, rows, signal)
    this.preparedSteps = step
  }
}

function inUse(values: ConnectorValues | undefined): ConnectorValues {
  if (values) return values
  throw new TrainingError(
    "train: the recipe begins with the connector that chats go through, and that is the checkpoint's own. " +
      "Chat with a run or import a connector first, or begin with the checkpoint's.",
  )
}
