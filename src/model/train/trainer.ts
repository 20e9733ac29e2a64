import { Encoder } from '../../kernels'
import type { ByteStore } from '../checkpoint/byte-store'
import type { ChatModel } from '../chat-model'
import { AbortError, DatasetError, TrainingError } from '../errors'
import type { PictureSize } from '../connector/definition'
import type { Codecs } from '../image/codecs'
import { IMAGE_TOKEN_INDEX } from '../template/chunk-tokens'
import type {
  CaptionRecord,
  Dataset,
  EvaluationRecord,
  Recipe,
  Sample,
  SkippedRow,
  StepRecord,
} from './definition'
import { captionPicture } from './caption'
import { FeatureCache, type PictureFile } from './features'
import { newConnector } from './initialise'
import type { DataOrder } from './order'
import { processorsFor } from './processors'
import { rates } from './schedule'
import { Stage1 } from './stage1'
import { expandAndCut } from './supervise'
import { TrainedConnector, type ConnectorValues } from './trained-connector'
import type { TrainingPicture, TrainingSample } from './training-pass'

/** A pass that takes longer is not tried twice. */
const SLOW_MS = 20_000
/** Samples whose features are made ready at a time where towers have to be fetched. */
const LOOK_AHEAD = 32

export interface TrainerOptions {
  readonly recipe: Recipe
  readonly dataset: Dataset
  readonly order: DataOrder
  /** Of the whole run. */
  readonly steps: number
  /** Rows kept for validation, and where they lie. */
  readonly heldOut: { readonly dataset: Dataset; readonly rows: readonly number[] }
  /** The connector in use where it is not the checkpoint's own. */
  readonly start?: ConnectorValues | undefined
  readonly codecs: Codecs
  readonly featureStore?: ByteStore | undefined
  /** Told once about each row that turns out to be of no use. */
  readonly onSkipped?: ((row: SkippedRow) => void) | undefined
  readonly onFeatures?:
    ((progress: { done: number; total: number; image: string; cached: boolean }) => void) | undefined
  readonly onNote?: ((note: string) => void) | undefined
}

/** Everything a run's later steps depend on; the data's order follows from the recipe and the step. */
export interface TrainerState {
  readonly step: number
  readonly updates: number
  readonly weights: ConnectorValues
  readonly m: ConnectorValues
  readonly v: ConnectorValues
}

/** Stage 1 on a loaded model and a dataset, step by step. */
export class Trainer {
  /** Steps done. */
  step = 0
  private readonly skipped = new Set<string>()

  private constructor(
    private readonly model: ChatModel,
    readonly options: TrainerOptions,
    private readonly stage: Stage1,
    readonly features: FeatureCache,
  ) {}

  /**
   * Makes a connector of its own beside the model's, from the recipe's start or an earlier state.
   *
   * Throws: TrainingError for models that cannot be trained; CheckpointError for a state of another connector.
   */
  static async create(model: ChatModel, options: TrainerOptions, state?: TrainerState): Promise<Trainer> {
    const { vlm, opened, plan } = model
    const { recipe } = options
    const trained = new TrainedConnector(vlm.gpu, opened.blueprint)
    try {
      const stage = new Stage1(vlm, trained, recipe)
      const processors = processorsFor(recipe, opened.processors, trained.connector)
      const features = new FeatureCache(vlm, {
        processors,
        codecs: options.codecs,
        towerKeys: (opened.blueprint.vision?.towers ?? []).map(({ prefix, output }, i) =>
          [opened.source.name, prefix, JSON.stringify(output), plan.dtype, plan.towerDtype]
            .concat(JSON.stringify(processors[i]))
            .join('|'),
        ),
        store: options.featureStore,
        onNote: options.onNote,
      })
      const trainer = new Trainer(model, options, stage, features)
      if (state) trainer.restore(state)
      else if (recipe.start === 'fresh') trained.write(newConnector(trained.specs, recipe.seed))
      else trained.write(options.start ?? (await model.connectorValues()))
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

  /**
   * Runs the next step. An aborted one leaves everything as it was.
   *
   * Throws: AbortError; TrainingError where none of its rows can be used, or numbers are not finite; DeviceLostError.
   */
  async next(signal: AbortSignal): Promise<StepRecord> {
    const { recipe, order, dataset } = this.options
    const started = performance.now()
    const rows = order.microBatches(this.step)
    await this.prepareAhead(signal)
    const microBatches: TrainingSample[][] = []
    for (const batch of rows) {
      const samples = await this.samples(dataset, batch, signal)
      if (samples.length > 0) microBatches.push(samples)
    }
    if (signal.aborted) throw new AbortError('train: stopped by the reader.')
    const rate = rates(recipe, this.step, this.steps)
    if (microBatches.length === 0) {
      throw new TrainingError(
        `train: none of the rows of step ${this.step + 1} can be used. Look at the skipped rows and mend the data.`,
      )
    }
    const numbers = await this.stage.step(microBatches, rate)
    this.step++
    const { loss, microLosses, gradNorm, tokens, learnedTokens, isSkipped } = numbers
    return {
      step: this.step,
      loss,
      microLosses,
      lr: rate.lr,
      ...(rate.samplerLr !== undefined && { samplerLr: rate.samplerLr }),
      gradNorm,
      tokens,
      learnedTokens,
      samples: microBatches.reduce((sum, batch) => sum + batch.length, 0),
      ms: performance.now() - started,
      ...(isSkipped && { skipped: true as const }),
    }
  }

  /**
   * Takes the first micro-batch's gradients without using them.
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
    const rows = order.microBatches(0)[0]!
    const started = performance.now()
    const samples = await this.samples(dataset, rows, signal)
    const towersMs = performance.now() - started
    if (samples.length === 0) {
      throw new TrainingError(
        'train: none of the first rows can be used. Look at the skipped rows and mend the data.',
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
      const [sample] = await this.samples(dataset, [row], signal)
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
      const sample = await this.read(dataset, row)
      const [picture] = sample ? await this.pictures(dataset, [sample], signal) : []
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
    return { step: this.step, updates: this.stage.updates, weights, m, v }
  }

  /** The connector's weights as they are now. */
  values(): Promise<ConnectorValues> {
    return this.stage.trained.read(this.model.vlm.arena)
  }

  private restore({ step, updates, weights, m, v }: TrainerState): void {
    const { trained } = this.stage
    trained.write(weights)
    trained.writeMoments(m, v)
    this.step = step
    this.stage.updates = updates
  }

  destroy(): void {
    this.stage.trained.destroy()
  }

  /** Samples of rows that can be used; the others are told about. */
  private async samples(
    dataset: Dataset,
    rows: readonly number[],
    signal: AbortSignal,
  ): Promise<TrainingSample[]> {
    const read: { row: number; sample: Sample }[] = []
    for (const row of rows) {
      const sample = await this.read(dataset, row)
      if (sample) read.push({ row, sample })
    }
    const pictures = await this.pictures(
      dataset,
      read.map(({ sample }) => sample),
      signal,
    )
    const samples: TrainingSample[] = []
    for (const [i, { row, sample }] of read.entries()) {
      try {
        const picture = pictures[i]
        if (picture instanceof Error) throw picture
        samples.push(this.sampleOf(sample, picture))
      } catch (error) {
        this.skip(dataset, row, sample, error as Error)
      }
    }
    return samples
  }

  private async read(dataset: Dataset, row: number): Promise<Sample | undefined> {
    try {
      return await dataset.sample(row)
    } catch (error) {
      if (!(error instanceof DatasetError)) throw error
      this.skip(dataset, row, { id: String(row), image: undefined }, error)
      return undefined
    }
  }

  /** Throws: TrainingError, TemplateError for a sample that nothing can be learned of. */
  private sampleOf(sample: Sample, picture: TrainingPicture | undefined): TrainingSample {
    const { tokenizer, opened } = this.model
    const { recipe } = this.options
    const { vision } = opened.blueprint
    const supervised = tokenizer.supervise(sample.conversations, recipe)
    if (supervised.masked !== undefined) throw new TrainingError(supervised.masked)
    const placeholder = vision?.imageTokenId ?? IMAGE_TOKEN_INDEX
    const place = (rows: readonly number[]) => {
      const placed = expandAndCut(supervised, placeholder, rows, recipe.maxTokens)
      if (placed.unusable !== undefined) throw new TrainingError(placed.unusable)
      return placed
    }
    // What is wrong with it is found before anything is recorded.
    place(picture ? [this.pictureRows(picture.size)] : [])
    return { picture, place }
  }

  /** Rows a picture takes in the prompt. */
  private pictureRows(size: PictureSize): number {
    const layout = this.stage.trained.connector.layout?.(size)
    return layout ? layout.area.rows * layout.stride : this.model.opened.blueprint.vision!.imageTokens
  }

  /** Pictures' features, or why there are none; undefined for samples without a picture. */
  private async pictures(
    dataset: Dataset,
    samples: readonly Sample[],
    signal: AbortSignal,
  ): Promise<(TrainingPicture | Error | undefined)[]> {
    const withPicture = samples.flatMap((sample, index) =>
      sample.image === undefined ? [] : [{ sample, index }],
    )
    const files = withPicture.map(({ sample }): PictureFile => {
      const path = sample.image!
      return { path: `${dataset.fingerprint}/${path}`, bytes: () => dataset.image(path) }
    })
    const found = await this.features.of(files, signal, (done, index, cached) =>
      this.options.onFeatures?.({
        done,
        total: files.length,
        image: withPicture[index]!.sample.image!,
        cached,
      }),
    )
    const pictures: (TrainingPicture | Error | undefined)[] = samples.map(() => undefined)
    for (const [i, { index }] of withPicture.entries()) pictures[index] = found[i]
    return pictures
  }

  /** Where towers come and go, one visit of each serves many steps. */
  private async prepareAhead(signal: AbortSignal): Promise<void> {
    const { plan } = this.model
    const { order, dataset } = this.options
    if (plan.towers.every(({ resident }) => resident)) return
    const rows: number[] = []
    for (let step = this.step; step < this.steps && rows.length < LOOK_AHEAD; step++) {
      rows.push(...order.microBatches(step).flat())
    }
    const samples = await Promise.all(rows.map((row) => this.read(dataset, row)))
    await this.pictures(
      dataset,
      samples.filter((sample) => sample !== undefined),
      signal,
    )
  }

  private skip(dataset: Dataset, row: number, sample: Pick<Sample, 'id' | 'image'>, error: Error): void {
    const key = `${dataset.fingerprint}/${row}`
    if (this.skipped.has(key)) return
    this.skipped.add(key)
    this.options.onSkipped?.({ row, id: sample.id, image: sample.image, reason: error.message })
  }
}
