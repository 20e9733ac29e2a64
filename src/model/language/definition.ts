import type { AttentionOptions, Encoder, Gpu, KvCache, Tensor, Weight } from '../../kernels'
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
   * Shapes: x [T, C] -> [T, C] before the final norm; keys and values are appended at `position` of every layer's cache.
   */
  forward(
    enc: Encoder,
    x: Tensor,
    caches: readonly KvCache[],
    position: number,
    options?: ForwardOptions,
  ): Tensor
  /** The final norm and the output matrix. Shapes: hidden [R, C] -> [R, V]. */
  logits(enc: Encoder, hidden: Tensor): Tensor
  /** Frees what it holds beside its weights. */
  destroy(gpu: Gpu): void
}

/** One of several sequences whose rows lie one behind the other. */
export interface Segment {
  /** First row. */
  readonly start: number
  readonly count: number
}

/** What others do between layers while a connector is trained. */
export interface TrainingHooks {
  /** Whether anything is done after layer 0, 1, ...; the others are called for these layers alone. */
  isHooked(layer: number): boolean
  /** After a layer with its output [T, C], which may be updated in place. */
  afterLayer(layer: number, hidden: Tensor): void
  /** In the backward pass: dLoss/d(what `afterLayer` left) [T, C] becomes dLoss/d(what it got), in place. */
  afterLayerBackward(layer: number, dHidden: Tensor): void
}

/** What the backward pass needs of every layer: its input, f32 [T, C], and of some what lies between. */
export type Tape = readonly { readonly input: Tensor; readonly kept?: unknown }[]

/** A language model that gradients can pass through; its own weights stay as they are. */
export interface TrainableLanguageModel extends LanguageModel {
  /** [V, C]. */
  readonly lmHead: Weight
  /** Sequences may share a pass where this is equal for their lengths: they are rotated alike. */
  rotationKey(sequenceLength: number): number
  /**
   * All layers without a cache, several sequences at once, none of which sees another.
   *
   * Shapes: x [T, C], rows u32 [R], all different -> hidden [R, C] of these rows before the final norm. Saved: the tape, temporaries of `enc`: the layers' inputs, and
   * of as many layers as `keepBytes` (default 0) holds what would be computed again otherwise.
   */
  forwardTraining(
    enc: Encoder,
    x: Tensor,
    segments: readonly Segment[],
    rows: Tensor,
    hooks: TrainingHooks,
    keepBytes?: number,
  ): { hidden: Tensor; tape: Tape }
  /**
   * dLoss/dx; a layer of which nothing was kept is computed again from its input. The tape is given back behind it.
   *
   * Shapes: dHidden [R, C], of the rows of the forward pass -> [T, C].
   */
  backward(
    enc: Encoder,
    dHidden: Tensor,
    tape: Tape,
    segments: readonly Segment[],
    rows: Tensor,
    hooks: TrainingHooks,
  ): Tensor
  /** Shapes: hidden [R, C] -> [R, C]. */
  finalNorm(enc: Encoder, hidden: Tensor): Tensor
  /** Shapes: dy, hidden [R, C] -> [R, C]. */
  finalNormBackward(enc: Encoder, dy: Tensor, hidden: Tensor): Tensor
}

export const isTrainableLanguage = (language: LanguageModel): language is TrainableLanguageModel =>
  'forwardTraining' in language

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
