import { takeRows, type Arena, type Encoder, type Gpu, type Tensor } from '../kernels'
import type { Connector } from './connector/definition'
import type { Blueprint } from './family/definition'
import type { LanguageModel } from './language/definition'
import type { WeightStore } from './parameters'
import type { VisionTower } from './vision/definition'

/** A vision-language model on one GPU: image -> tower -> connector, spliced into what the language model reads. */
export class Vlm {
  readonly language: LanguageModel
  private readonly tower: VisionTower | undefined
  private readonly connector: Connector | undefined

  constructor(
    readonly gpu: Gpu,
    readonly arena: Arena,
    readonly blueprint: Blueprint,
    readonly weights: WeightStore,
  ) {
    const { vision, language } = blueprint
    this.language = language.create(weights.at('language'))
    this.tower = vision?.tower.create(weights.at('vision'), vision.depth)
    this.connector = vision?.connector.create(vision.connectorConfig, weights.at('connector'))
  }

  get acceptsImages(): boolean {
    return this.tower !== undefined
  }

  /**
   * Tower features with the rows the select strategy leaves.
   *
   * Shapes: pixels [B, 3, side, side] -> [B*n, C].
   */
  visionFeatures(enc: Encoder, pixels: Tensor): Tensor {
    const { vision } = this.blueprint
    if (!vision || !this.tower) throw new Error('vlm: this model takes no pictures')
    const { patchTokens, hasClsToken } = vision.tower.config
    return enc.scope(() => {
      const hidden = this.tower!.hiddenState(enc, pixels)
      if (!vision.dropsFirstRow) return hidden
      const rows = patchTokens + (hasClsToken ? 1 : 0)
      return takeRows(enc, hidden, { batch: pixels.shape[0]!, start: 1, count: rows - 1 })
    })
  }

  /** Shapes: features [P, C of the tower] -> [P, C of the language model]. */
  connect(enc: Encoder, features: Tensor): Tensor {
    if (!this.connector) throw new Error('vlm: this model takes no pictures')
    return this.connector.forward(enc, features)
  }

  destroy(): void {
    this.language.destroy(this.gpu)
    this.weights.destroy()
    this.arena.destroy()
  }
}
