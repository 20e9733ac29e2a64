import { createTensor, Encoder, gatherRows, splice, spliceBackward, type Tensor } from '../../kernels'
import type { PictureSize, SampledPicture, TowerFeatures } from '../connector/definition'
import { zeroMaps } from '../connector/trainable'
import { TrainingError } from '../errors'
import {
  isTrainableLanguage,
  type Segment,
  type TrainableLanguageModel,
  type TrainingHooks,
} from '../language/definition'
import type { Vlm } from '../vlm'
import { IGNORED } from './definition'
import { linearCrossEntropy } from './linear-cross-entropy'
import type { TrainedConnector } from './trained-connector'

/** A picture of a sample: what its towers gave. */
export interface TrainingPicture {
  readonly size: PictureSize
  /** Of every tower, in order; called once, temporaries of `enc`. */
  features(enc: Encoder): readonly TowerFeatures[]
}

/** Ids, labels and places of pictures, once it is known how many rows each picture takes. */
export interface PlacedSample {
  /** Pictures' rows hold placeholders. */
  readonly ids: Uint32Array
  /** Equally long; IGNORED where nothing is learned. */
  readonly labels: Int32Array
  readonly images: readonly { readonly start: number; readonly rows: number }[]
}

export interface TrainingSample {
  /** At most one, as in the original projects. */
  readonly picture: TrainingPicture | undefined
  place(imageRows: readonly number[]): PlacedSample
}

/** A micro-batch's losses on the GPU until they are asked for. */
export interface MicroBatchResult {
  /** Positions that went through the language model. */
  readonly tokens: number
  readonly learnedTokens: number
  /** f32 [learned tokens], loss of each in nats; the caller's to destroy. */
  readonly losses: Tensor
}

/** One sample with everything its passes need. */
interface Recorded {
  readonly placed: PlacedSample
  readonly picture?: RecordedPicture
}

interface RecordedPicture {
  readonly features: readonly TowerFeatures[]
  readonly sampled: SampledPicture
  readonly rows: Tensor
  readonly saved: unknown
  /** What entered each sampler, by layer. */
  readonly beforeSampler: Map<number, Tensor>
}

/** Samples whose sequences go through the language model side by side. */
interface Pack {
  readonly samples: readonly Recorded[]
  readonly segments: readonly Segment[]
}

/** The forward and backward pass of stage 1: only the connector learns, gradients pass through everything behind it. */
export class TrainingPass {
  private readonly language: TrainableLanguageModel

  /** Throws: TrainingError where the language model has no backward pass. */
  constructor(
    private readonly vlm: Vlm,
    private readonly trained: TrainedConnector,
    /** GPU memory for activations that would be computed again otherwise. */
    private readonly keepBytes = 0,
  ) {
    if (!isTrainableLanguage(vlm.language)) {
      throw new TrainingError(
        'train: gradients cannot pass through this language model yet. Choose a model on Llama, Qwen2, Phi-3 or Mistral.',
      )
    }
    this.language = vlm.language
  }

  /**
   * Adds the gradients of a micro-batch's mean loss, times `weight`, to those of the connector.
   *
   * The mean is over all learned tokens of the micro-batch. Without `learn` nothing but the losses is computed.
   *
   * Throws: TrainingError where nothing of the samples is learned; ShapeError; DeviceLostError.
   */
  microBatch(
    samples: readonly TrainingSample[],
    options: { readonly weight: number; readonly learn: boolean },
  ): MicroBatchResult {
    const { vlm } = this
    const enc = new Encoder(vlm.gpu, vlm.arena, 'micro-batch')
    enc.isExact = true
    const losses: Tensor[] = []
    try {
      const recorded = samples.map((sample) => this.join(enc, sample))
      const learnedTokens = sum(recorded.map(({ placed }) => learnedOf(placed)))
      if (learnedTokens === 0) {
        throw new TrainingError('train: no token of this micro-batch is learned. Check the captions.')
      }
      const all = createTensor(vlm.gpu, 'losses', [learnedTokens])
      losses.push(all)
      let written = 0
      for (const pack of this.packsOf(recorded)) {
        const rows = this.pack(enc, pack, options.learn ? options.weight / learnedTokens : undefined)
        enc.copy(rows, all, { toOffset: written * 4 })
        written += rows.shape[0]!
        enc.release(rows)
      }
      enc.end()
      return { tokens: sum(recorded.map(({ placed }) => placed.ids.length)), learnedTokens, losses: all }
    } catch (error) {
      for (const { buffer } of losses) vlm.gpu.destroyBuffer(buffer)
      throw error
    } finally {
      enc.end()
    }
  }

  /** A sample's picture through the connector, and its tokens around it. */
  private join(enc: Encoder, sample: TrainingSample): Recorded {
    const { picture } = sample
    const { connector } = this.trained
    if (!picture) return { placed: sample.place([]) }
    const { size } = picture
    const features = picture.features(enc)
    const maps = features.map((map, tower) => connector.keep(enc, tower, map))
    const { rows, saved } = connector.joinTraining(enc, maps, size)
    return {
      placed: sample.place([rows.shape[0]!]),
      picture: { features, sampled: { maps, size }, rows, saved, beforeSampler: new Map() },
    }
  }

  /** Sequences that are rotated alike share a pass. */
  private packsOf(samples: readonly Recorded[]): Pack[] {
    const byKey = new Map<number, Recorded[]>()
    for (const sample of samples) {
      const key = this.language.rotationKey(sample.placed.ids.length)
      byKey.set(key, [...(byKey.get(key) ?? []), sample])
    }
    return [...byKey.values()].map((group) => {
      let start = 0
      const segments = group.map(({ placed: { ids } }) => {
        const segment = { start, count: ids.length }
        start += ids.length
        return segment
      })
      return { samples: group, segments }
    })
  }

  /** Shapes: -> losses f32 [learned tokens of the pack]. */
  private pack(enc: Encoder, pack: Pack, scale: number | undefined): Tensor {
    const { language } = this
    const { samples, segments } = pack
    const learned = learnedRows(pack)
    return enc.scope(() => {
      const at = enc.constant(learned.rows)
      const labels = enc.constant(learned.labels)
      const places = samples.map(({ placed, picture }, i) =>
        picture ? enc.constant(placesOf(placed, segments[i]!)) : undefined,
      )
      const x = this.embed(enc, pack, places)
      const keepBytes = scale === undefined ? 0 : this.keepBytes
      // Made only once the forward pass is done with its memory.
      const mapSums: (readonly Tensor[] | undefined)[] = []
      const hooks = this.samplers(enc, pack, places, mapSums)
      const { hidden, tape } = language.forwardTraining(enc, x, segments, at, hooks, keepBytes)
      const normed = language.finalNorm(enc, hidden)
      const { losses, dx: dNormed } = linearCrossEntropy(enc, normed, language.lmHead, labels, scale)
      if (!dNormed) return losses

      const dHidden = language.finalNormBackward(enc, dNormed, hidden)
      enc.release(hidden)
      const { learnsMaps } = this.trained.connector
      for (const { picture } of samples) {
        mapSums.push(picture && learnsMaps ? zeroMaps(enc, picture.sampled.maps) : undefined)
      }
      const dx = language.backward(enc, dHidden, tape, segments, at, hooks)
      for (const [i, { picture }] of samples.entries()) {
        if (picture) this.connectorBackward(enc, spliceBackward(enc, dx, places[i]!), picture, mapSums[i])
      }
      return losses
    })
  }

  /** Shapes: -> [T, C] of all sequences, with the pictures' rows in their places. */
  private embed(enc: Encoder, { samples, segments }: Pack, places: readonly (Tensor | undefined)[]): Tensor {
    const count = sum(segments.map((segment) => segment.count))
    const ids = new Uint32Array(count)
    for (const [i, { placed }] of samples.entries()) ids.set(placed.ids, segments[i]!.start)
    const x = this.language.embed(enc, enc.constant(ids), { start: 0, count })
    for (const [i, { picture }] of samples.entries()) {
      if (picture) splice(enc, x, picture.rows, places[i]!)
    }
    return x
  }

  /** Samplers between layers; of what they read, gradients are added to `mapSums`. */
  private samplers(
    enc: Encoder,
    { samples }: Pack,
    places: readonly (Tensor | undefined)[],
    mapSums: readonly (readonly Tensor[] | undefined)[],
  ): TrainingHooks {
    const { connector, sums } = this.trained
    const { samplers } = connector
    return {
      isHooked: (layer) => samplers.has(layer),
      afterLayer: (layer, hidden) => {
        const sampler = samplers.get(layer)!
        for (const [i, { picture }] of samples.entries()) {
          if (!picture) continue
          const rows = gatherRows(enc, hidden, places[i]!)
          picture.beforeSampler.set(layer, rows)
          enc.scope(() => splice(enc, hidden, sampler.refine(enc, rows, picture.sampled, 0), places[i]!))
        }
      },
      afterLayerBackward: (layer, dHidden) => {
        const sampler = samplers.get(layer)!
        for (const [i, { picture }] of samples.entries()) {
          if (!picture) continue
          const before = picture.beforeSampler.get(layer)!
          enc.scope(() => {
            const dRows = spliceBackward(enc, dHidden, places[i]!)
            const { sampled } = picture
            const dBefore = sampler.refineBackward(enc, dRows, before, sampled, 0, sums, mapSums[i])
            splice(enc, dHidden, dBefore, places[i]!)
          })
          enc.release(before)
        }
      },
    }
  }

  private connectorBackward(
    enc: Encoder,
    dRows: Tensor,
    { features, saved }: RecordedPicture,
    mapSums: readonly Tensor[] | undefined,
  ): void {
    const { connector, sums } = this.trained
    enc.scope(() => {
      connector.joinBackward(enc, dRows, saved, sums, mapSums)
      if (!mapSums) return
      for (const [tower, map] of features.entries()) {
        connector.keepBackward(enc, tower, map, mapSums[tower]!, sums)
      }
    })
  }
}

/** Rows of a pack whose next token is learned, and those tokens. */
function learnedRows({ samples, segments }: Pack): { rows: Uint32Array; labels: Uint32Array } {
  const rows: number[] = []
  const labels: number[] = []
  for (const [i, { placed }] of samples.entries()) {
    for (let t = 1; t < placed.labels.length; t++) {
      if (placed.labels[t] === IGNORED) continue
      rows.push(segments[i]!.start + t - 1)
      labels.push(placed.labels[t]!)
    }
  }
  return { rows: Uint32Array.from(rows), labels: Uint32Array.from(labels) }
}

/** The first token is nobody's next one. */
const learnedOf = ({ labels }: PlacedSample) =>
  labels.subarray(1).reduce((n, id) => n + Number(id !== IGNORED), 0)

/** Rows of a pack that a sample's picture takes. */
const placesOf = ({ images }: PlacedSample, { start }: Segment) =>
  Uint32Array.from(
    images.flatMap((image) => Array.from({ length: image.rows }, (_, row) => start + image.start + row)),
  )

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
