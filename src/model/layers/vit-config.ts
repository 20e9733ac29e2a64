import { ACTIVATIONS } from '../activations'
import type { ConfigReader } from '../config-reader'
import type { VisionTowerConfig } from '../vision/definition'
import type { EncoderBlockConfig } from './encoder-block'

/** What the plain vision transformers have in common. */
export interface VitConfig extends VisionTowerConfig, EncoderBlockConfig {
  readonly patchSize: number
}

/** Reads the fields that Hugging Face's CLIP and SigLIP vision configs share, names included. */
export function parseVitConfig(json: ConfigReader, hasClsToken: boolean): VitConfig {
  const imageSize = json.size('image_size')
  const patchSize = json.size('patch_size')
  return {
    imageSize,
    patchSize,
    hiddenSize: json.size('hidden_size'),
    intermediateSize: json.size('intermediate_size'),
    layers: json.size('num_hidden_layers'),
    heads: json.size('num_attention_heads'),
    layerNormEps: json.float('layer_norm_eps'),
    activation: json.oneOf('hidden_act', ACTIVATIONS),
    patchTokens: Math.floor(imageSize / patchSize) ** 2,
    hasClsToken,
  }
}
