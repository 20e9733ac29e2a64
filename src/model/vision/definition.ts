import type { Encoder, Tensor } from '../../kernels'
import { ConfigReader, type JsonObject } from '../config-reader'
import type { ParameterSpecs, Weights } from '../parameters'
import { MAX_SIDE } from '../image/processor'
import type { ExternalTower } from './external'

/** A square map of features: side * side rows, row-major. */
export interface MapShape {
  readonly side: number
  /** Width of a row. */
  readonly width: number
}

/** What every vision tower tells about itself. */
export interface VisionTowerConfig {
  /** Side of the square input in pixels. */
  readonly imageSize: number
  /** Width of a feature row; of several maps together. */
  readonly hiddenSize: number
  /** Blocks. */
  readonly layers: number
  /** Rows of a picture without a class token. */
  readonly patchTokens: number
  readonly hasClsToken: boolean
  /** Maps of a pyramid, finest first, which the finest one's grid joins; undefined where one list of rows comes out. */
  readonly maps?: readonly MapShape[]
}

/** Which of a tower's features are taken. */
export interface TowerOutput {
  /** Blocks that run: hidden_states[depth] is what comes out, and no later block is loaded. */
  readonly depth: number
  /** The norm behind the last block runs too. */
  readonly finalNorm?: boolean
}

/** How a table of positions is stretched to another grid; both bicubic. Source: transformers modeling_dinov2.py. */
export type PositionStretch =
  /** Step table side / grid side, as current versions of transformers. */
  | 'size'
  /** Step table side / (grid side + 0.1), as version 4.37 and its neighbours: what models trained with them expect. */
  | 'scale'

/** What a model changes about the pictures of its tower. */
export interface TowerInput {
  /** Side in pixels where it is not the config's. */
  readonly imageSize?: number | undefined
  /** Side that the tower's preprocessor makes: it counts before the config's where a tower takes any size. */
  readonly defaultImageSize?: number | undefined
  /** Default: `size`. */
  readonly positions?: PositionStretch | undefined
}

export interface VisionTower {
  /**
   * Features of a batch of pictures: one list of rows, or one for each map of a pyramid.
   *
   * Shapes: pixels [B, 3, side, side] -> [B*n, C] each, n including the class token; temporaries of `enc`.
   * A promise where another engine computes them.
   */
  features(enc: Encoder, pixels: Tensor): readonly Tensor[] | Promise<readonly Tensor[]>
  /** Frees what it holds beside its weights. */
  destroy?(): void
}

/** A tower as data plus functions; one file each. */
export interface VisionTowerDefinition<C extends VisionTowerConfig> {
  readonly modelType: string
  /** Values that Hugging Face's config class leaves out of files. */
  readonly defaults: JsonObject
  /** Keys of its checkpoints that none of its outputs needs: heads, buffers. */
  readonly unused?: readonly RegExp[]
  /** Throws: ConfigError also where the tower cannot take the input. */
  parseConfig(json: ConfigReader, input: TowerInput): C
  params(config: C, output: TowerOutput): ParameterSpecs
  create(config: C, weights: Weights, output: TowerOutput): VisionTower
}

/** A tower whose config has been read; its own config type stays inside. */
export interface ConfiguredTower {
  readonly config: VisionTowerConfig
  /** As VisionTowerDefinition.unused. */
  readonly unused?: readonly RegExp[]
  /** Given for towers that are opened from files of another kind; they have no parameters and are never created. */
  readonly external?: ExternalTower
  params(output: TowerOutput): ParameterSpecs
  create(weights: Weights, output: TowerOutput): VisionTower
}

export interface VisionTowerSlot {
  readonly modelType: string
  configure(json: JsonObject, where: string, input?: TowerInput): ConfiguredTower
}

/** Throws: ConfigError for numbers that are each possible but do not go together. */
function checkTower(json: ConfigReader, config: VisionTowerConfig & { heads?: number }): void {
  const { imageSize, patchTokens, hiddenSize, heads = 1 } = config
  if (imageSize > MAX_SIDE) json.fail('image_size', `at most ${MAX_SIDE}`, imageSize)
  if (patchTokens < 1) json.fail('patch_size', `at most image_size, ${imageSize}`, json.raw('patch_size'))
  if (heads < 1 || hiddenSize % heads !== 0) {
    json.fail('hidden_size', `a multiple of the number of heads, ${heads},`, hiddenSize)
  }
}

export function defineVisionTower<C extends VisionTowerConfig>(
  definition: VisionTowerDefinition<C>,
): VisionTowerSlot {
  return {
    modelType: definition.modelType,
    configure(json, where, input = {}) {
      const reader = new ConfigReader(json, where, definition.defaults)
      const config = definition.parseConfig(reader, input)
      checkTower(reader, config)
      return {
        config,
        unused: definition.unused ?? [],
        params: (output) => definition.params(config, output),
        create: (weights, output) => definition.create(config, weights, output),
      }
    },
  }
}
