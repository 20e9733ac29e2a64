import type { Encoder, Tensor } from '../../kernels'
import { ConfigReader, type JsonObject } from '../config-reader'
import type { ParameterSpecs, Weights } from '../parameters'

/** What every vision tower tells about itself. */
export interface VisionTowerConfig {
  /** Side of the square input in pixels. */
  readonly imageSize: number
  /** Width of a feature row. */
  readonly hiddenSize: number
  /** Blocks. */
  readonly layers: number
  /** Rows of a picture without a class token. */
  readonly patchTokens: number
  readonly hasClsToken: boolean
}

export interface VisionTower {
  /**
   * Hidden state of one layer for a batch of pictures.
   *
   * Shapes: pixels [B, 3, side, side] -> [B*n, C], n including the class token.
   */
  hiddenState(enc: Encoder, pixels: Tensor): Tensor
}

/**
 * A tower as data plus functions; one file each.
 *
 * `depth` is the number of blocks that run: hidden_states[depth] is what comes out, and no later block is loaded.
 */
export interface VisionTowerDefinition<C extends VisionTowerConfig> {
  readonly modelType: string
  /** Values that Hugging Face's config class leaves out of files. */
  readonly defaults: JsonObject
  parseConfig(json: ConfigReader): C
  params(config: C, depth: number): ParameterSpecs
  create(config: C, weights: Weights, depth: number): VisionTower
}

/** A tower whose config has been read; its own config type stays inside. */
export interface ConfiguredTower {
  readonly config: VisionTowerConfig
  params(depth: number): ParameterSpecs
  create(weights: Weights, depth: number): VisionTower
}

export interface VisionTowerSlot {
  readonly modelType: string
  configure(json: JsonObject, where: string): ConfiguredTower
}

export function defineVisionTower<C extends VisionTowerConfig>(
  definition: VisionTowerDefinition<C>,
): VisionTowerSlot {
  return {
    modelType: definition.modelType,
    configure(json, where) {
      const config = definition.parseConfig(new ConfigReader(json, where, definition.defaults))
      return {
        config,
        params: (depth) => definition.params(config, depth),
        create: (weights, depth) => definition.create(config, weights, depth),
      }
    },
  }
}
