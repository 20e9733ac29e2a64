import type { ChatModel } from '../chat-model'
import type { PictureSize } from '../connector/definition'
import type { TrainableConnector } from '../connector/trainable'
import { DatasetError, ImageError, TemplateError, TrainingError } from '../errors'
import { IMAGE_TOKEN_INDEX } from '../template/chunk-tokens'
import type { Dataset, Recipe, Sample, SkippedRow } from './definition'
import type { FeatureCache, PictureFile } from './features'
import { expandAndCut } from './supervise'
import type { TrainingPicture, TrainingSample } from './training-pass'

export interface ReaderOptions {
  readonly recipe: Recipe
  readonly connector: TrainableConnector
  readonly features: FeatureCache
  /** The data that is learned; others are held out. */
  readonly dataset: Dataset
  /** Rows of it that are known to be of no use, and need not be told about. */
  readonly unusable?: readonly number[] | undefined
  /** Told once about each row that turns out to be of no use. */
  readonly onSkipped?: ((row: SkippedRow) => void) | undefined
  readonly onFeatures?:
    ((progress: { done: number; total: number; image: string; cached: boolean }) => void) | undefined
}

/** Makes samples of a dataset's rows: ids and labels, and what the towers saw. */
export class SampleReader {
  private readonly skipped = new Set<string>()

  constructor(
    private readonly model: Pick<ChatModel, 'opened' | 'plan' | 'tokenizer'>,
    private readonly options: ReaderOptions,
  ) {
    for (const row of options.unusable ?? []) this.skipped.add(keyOf(options.dataset, row))
  }

  /** Samples of rows that can be used; the others are told about. Throws: AbortError; as FeatureCache.of. */
  async samples(dataset: Dataset, rows: readonly number[], signal: AbortSignal): Promise<TrainingSample[]> {
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
        this.skip(dataset, row, sample, faultOf(error))
      }
    }
    return samples
  }

  /** A row; undefined for one that cannot be understood. */
  async read(dataset: Dataset, row: number): Promise<Sample | undefined> {
    try {
      return await dataset.sample(row)
    } catch (error) {
      this.skip(dataset, row, { id: String(row), image: undefined }, faultOf(error))
      return undefined
    }
  }

  /** Pictures' features, or why there are none; undefined for samples without a picture. */
  async pictures(
    dataset: Dataset,
    samples: readonly Sample[],
    signal: AbortSignal,
  ): Promise<(TrainingPicture | Error | undefined)[]> {
    const { files, images, indices } = picturesOf(dataset, samples)
    const found = await this.options.features.of(files, signal, this.teller(images))
    const pictures: (TrainingPicture | Error | undefined)[] = samples.map(() => undefined)
    for (const [i, index] of indices.entries()) pictures[index] = found[i]
    return pictures
  }

  /** Where towers come and go, has them see rows' pictures ahead of `samples`. */
  async prepare(dataset: Dataset, rows: readonly number[], signal: AbortSignal): Promise<void> {
    if (this.model.plan.towers.every(({ resident }) => resident)) return
    const samples = await Promise.all(rows.map((row) => this.read(dataset, row)))
    const { files, images } = picturesOf(
      dataset,
      samples.filter((sample) => sample !== undefined),
    )
    await this.options.features.prepare(files, signal, this.teller(images))
  }

  private teller(images: readonly string[]) {
    return (done: number, index: number, cached: boolean) =>
      this.options.onFeatures?.({ done, total: images.length, image: images[index]!, cached })
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
    const layout = this.options.connector.layout?.(size)
    return layout ? layout.area.rows * layout.stride : this.model.opened.blueprint.vision!.imageTokens
  }

  private skip(dataset: Dataset, row: number, sample: Pick<Sample, 'id' | 'image'>, error: Error): void {
    const key = keyOf(dataset, row)
    if (this.skipped.has(key)) return
    this.skipped.add(key)
    this.options.onSkipped?.({
      row,
      id: sample.id,
      image: sample.image,
      reason: error.message,
      ...(dataset !== this.options.dataset && { heldOut: true as const }),
    })
  }
}

const keyOf = (dataset: Dataset, row: number) => `${dataset.fingerprint}/${row}`

/** Pictures of samples that have one, and which samples these are. */
function picturesOf(dataset: Dataset, samples: readonly Sample[]) {
  const indices = [...samples.keys()].filter((index) => samples[index]!.image !== undefined)
  const images = indices.map((index) => samples[index]!.image!)
  const files = images.map((path): PictureFile => ({
    path: `${dataset.fingerprint}/${path}`,
    bytes: () => dataset.image(path),
  }))
  return { files, images, indices }
}

/** What is wrong with a row or its picture is the sample's fault; anything else is thrown on. */
function faultOf(error: unknown): Error {
  const isFault =
    error instanceof DatasetError ||
    error instanceof ImageError ||
    error instanceof TemplateError ||
    error instanceof TrainingError
  if (isFault) return error
  throw error
}
