import { splice, takeRows, type Arena, type Encoder, type Gpu, type KvCache, type Tensor } from '../kernels'
import type { PictureConnector, SampledPicture } from './connector/definition'
import type { Blueprint } from './family/definition'
import type { ForwardOptions, LanguageModel } from './language/definition'
import type { WeightStore } from './parameters'
import type { Prompt } from './prompt'
import { Towers, type TowerStage } from './towers'

/** A vision-language model on one GPU: image -> towers -> connector, spliced into what the language model reads. */
export class Vlm {
  readonly language: LanguageModel
  readonly towers: Towers
  private readonly ownConnector: PictureConnector | undefined
  private otherConnector: PictureConnector | undefined

  constructor(
    readonly gpu: Gpu,
    readonly arena: Arena,
    readonly blueprint: Blueprint,
    readonly weights: WeightStore,
    stage?: TowerStage,
  ) {
    const { vision, language } = blueprint
    this.language = language.create(weights.at('language'))
    this.towers = new Towers(vision?.towers ?? [], weights, gpu, arena, stage)
    this.ownConnector = vision?.connector.create(weights.at('connector'))
  }

  /** The one in use. */
  get connector(): PictureConnector | undefined {
    return this.otherConnector ?? this.ownConnector
  }

  /** Puts another connector in place of the checkpoint's, which undefined brings back. Returns: the other one so far. */
  useConnector(connector: PictureConnector | undefined): PictureConnector | undefined {
    const before = this.otherConnector
    this.otherConnector = connector
    return before
  }

  get acceptsImages(): boolean {
    return this.connector !== undefined
  }

  /**
   * The language model over some rows of a prompt, with the samplers that refine pictures on their way through it.
   *
   * Shapes: x [T, C] -> [T, C] before the final norm.
   */
  forward(
    enc: Encoder,
    x: Tensor,
    caches: readonly KvCache[],
    position: number,
    images: Prompt['images'] = [],
    options: Omit<ForwardOptions, 'afterLayer'> = {},
  ): Tensor {
    const samplers = this.connector?.samplers
    if (!samplers?.size || !images.some(({ sampled }) => sampled)) {
      return this.language.forward(enc, x, caches, position, options)
    }
    return this.language.forward(enc, x, caches, position, {
      ...options,
      // Given at every step, whatever rows it holds: the language model may have to compute earlier ones again.
      afterLayer(layer, hidden, at) {
        const sampler = samplers.get(layer)
        if (!sampler) return
        for (const { sampled, start, count, firstRow } of picturesIn(images, at, hidden.shape[0]!)) {
          enc.scope(() => {
            const positions = enc.constant(Uint32Array.from({ length: count }, (_, row) => start + row))
            const rows = takeRows(enc, hidden, { batch: 1, start, count })
            splice(enc, hidden, sampler.refine(enc, rows, sampled, firstRow), positions)
          })
        }
      },
    })
  }

  destroy(): void {
    this.towers.destroy()
    this.language.destroy(this.gpu)
    this.weights.destroy()
    this.arena.destroy()
  }
}

interface PictureRows {
  readonly sampled: SampledPicture
  /** First row of the step that belongs to the picture. */
  readonly start: number
  readonly count: number
  /** Which of the picture's rows that is. */
  readonly firstRow: number
}

/** Rows of pictures within a step of `count` positions. */
function picturesIn(images: Prompt['images'], position: number, count: number): PictureRows[] {
  return images.flatMap(({ sampled, start: at, rows }) => {
    const start = Math.max(at, position)
    const end = Math.min(at + rows, position + count)
    if (!sampled || end <= start) return []
    return [{ sampled, start: start - position, count: end - start, firstRow: start - at }]
  })
}
