import type { Encoder, Gpu, KvCache, Tensor } from '../../kernels'
import { ConfigReader, type JsonObject } from '../config-reader'
import type { ParameterSpecs, Weights } from '../parameters'

/** What every language model tells about itself. */
export interface LanguageModelConfig {
  readonly hiddenSize: number
  readonly vocabSize: number
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  /** Longest conversation it was made for, in tokens. */
  readonly maxPositions: number
  /** Where the file holds no lm_head, it shares the embedding's weights. */
  readonly tiedEmbeddings: boolean
}

export interface LanguageModel {
  /** Shapes: `tokens` u32 [capacity] -> [count, C] for tokens start .. start + count. */
  embed(enc: Encoder, tokens: Tensor, range: { start: number; count: number }): Tensor
  /** Shapes: x [T, C] -> [T, C] after the final norm; keys and values are appended at `position` of every layer's cache. */
  forward(enc: Encoder, x: Tensor, caches: readonly KvCache[], position: number): Tensor
  /** Shapes: hidden [R, C] -> [R, V]. */
  logits(enc: Encoder, hidden: Tensor): Tensor
  /** Frees what it holds beside its weights. */
  destroy(gpu: Gpu): void
}

/** A language model as data plus functions; one file each, and one for its chat template. */
export interface LanguageModelDefinition<C extends LanguageModelConfig> {
  readonly modelType: string
  /** Values that Hugging Face's config class leaves out of files. */
  readonly defaults: JsonObject
  parseConfig(json: ConfigReader): C
  params(config: C): ParameterSpecs
  create(config: C, weights: Weights): LanguageModel
}

/** A language model whose config has been read; its own config type stays inside. */
export interface ConfiguredLanguageModel {
  readonly config: LanguageModelConfig
  params(): ParameterSpecs
  create(weights: Weights): LanguageModel
}

export interface LanguageModelSlot {
  readonly modelType: string
  configure(json: JsonObject, where: string): ConfiguredLanguageModel
}

export function defineLanguageModel<C extends LanguageModelConfig>(
  definition: LanguageModelDefinition<C>,
): LanguageModelSlot {
  return {
    modelType: definition.modelType,
    configure(json, where) {
      const config = definition.parseConfig(new ConfigReader(json, where, definition.defaults))
      return {
        config,
        params: () => definition.params(config),
        create: (weights) => definition.create(config, weights),
      }
    },
  }
}
