import { ACTIVATIONS } from '../activations'
import type { ConfigReader } from '../config-reader'
import type { TowerInput, VisionTowerConfig } from '../vision/definition'
import { CLIP_BLOCKS, type EncoderBlockConfig } from './encoder-block'

/** What the plain vision transformers have in common. */
export interface VitConfig extends VisionTowerConfig, EncoderBlockConfig {
  readonly patchSize: number
}

/**
 * Side of the pictures of a tower whose position table fits one size only.
 *
 * Throws: ConfigError where another size is asked for.
 */
export function fixedImageSize(json: ConfigReader, { imageSize }: TowerInput): number {
  const size = json.size('image_size')
  if (imageSize === undefined || imageSize === size) return size
  return json.fail(
    'image_size',
    `${imageSize} as asked, for this tower's positions cannot be stretched,`,
    size,
  )
}

/** Reads the fields that Hugging Face's CLIP and SigLIP vision configs share, names included. */
export function parseVitConfig(json: ConfigReader, hasClsToken: boolean, input: TowerInput): VitConfig {
  const imageSize = fixedImageSize(json, input)
  const patchSize = json.size('patch_size')
  return {
    imageSize,
    patchSize,
    hiddenSize: json.size('hidden_size'),
    intermediateSize: json.size('intermediate_size'),
    layers: json.count('num_hidden_layers'),
    heads: json.size('num_attention_heads'),
    layerNormEps: json.float('layer_norm_eps'),
    activation: json.oneOf('hidden_act', ACTIVATIONS),
    patchTokens: Math.floor(imageSize / patchSize) ** 2,
    hasClsToken,
    names: CLIP_BLOCKS,
  }
}
