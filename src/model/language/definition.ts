import type { AttentionOptions, Encoder, Gpu, KvCache, Tensor } from '../../kernels'
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

/** What others may do inside a forward pass; nothing is recorded for a hook that is absent. */
export interface LayerHooks {
  /**
   * Called after layer 0, 1, ... with its output [T, C], whose first row stands at `position`. Kernels recorded here may
   * update it in place: the next layer reads what they leave, the layer's own keys and values stay as they were.
   *
   * A hook that changes rows belongs to every step of the conversation, as cached rows may have to be computed again.
   */
  afterLayer?(layer: number, hidden: Tensor, position: number): void
  /**
   * Called before a layer attends, with the rotated queries [T, H*D], the cache that holds the step's keys already, and how
   * the queries attend to it. Temporaries made here end with the layer, unless `enc.keep` takes them.
   */
  attention?(layer: number, q: Tensor, cache: KvCache, options: AttentionOptions): void
}

export interface ForwardOptions extends LayerHooks {
  /**
   * Tokens of the whole prompt where x is only a part of it; by default x ends the conversation. Rotary embeddings may
   * depend on it: without it, rows of a long prompt are computed for a short one first.
   */
  readonly sequenceLength?: number
}

export interface LanguageModel {
  /** Shapes: `tokens` u32 [capacity] -> [count, C] for tokens start .. start + count. */
  embed(enc: Encoder, tokens: Tensor, range: { start: number; count: number }): Tensor
  /**
   * Shapes: x [T, C] -> [T, C] after the final norm; keys and values are appended at `position` of every layer's cache.
   */
  forward(
    enc: Encoder,
    x: Tensor,
    caches: readonly KvCache[],
    position: number,
    options?: ForwardOptions,
  ): Tensor
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
