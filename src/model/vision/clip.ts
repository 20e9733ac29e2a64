import { embedPatches, layerNorm, patchify, type Encoder, type Tensor } from '../../kernels'
import { createBlocks, encoderBlocksSpecs, runBlocks, type EncoderBlock } from '../layers/encoder-block'
import { Linear } from '../layers/linear'
import { parseVitConfig, type VitConfig } from '../layers/vit-config'
import { layerNormSpecs, matrix, under, vector, type Weights } from '../parameters'
import { defineVisionTower, type VisionTower } from './definition'

/**
 * CLIP's ViT: class token, a norm before the first block (`pre_layrnorm`, misspelled in every checkpoint).
 *
 * Source: transformers CLIPVisionModel; Radford et al. 2021, arXiv:2103.00020.
 */
class ClipTower implements VisionTower {
  private readonly patchEmbedding: Linear
  private readonly classEmbedding: Tensor
  private readonly positions: Tensor
  private readonly preNorm: { weight: Tensor; bias: Tensor }
  private readonly blocks: EncoderBlock[]

  constructor(
    private readonly config: VitConfig,
    weights: Weights,
    depth: number,
  ) {
    this.patchEmbedding = Linear.at(weights.at('embeddings.patch_embedding'))
    this.classEmbedding = weights.vector('embeddings.class_embedding')
    this.positions = weights.vector('embeddings.position_embedding.weight')
    this.preNorm = {
      weight: weights.vector('pre_layrnorm.weight'),
      bias: weights.vector('pre_layrnorm.bias'),
    }
    this.blocks = createBlocks(config, weights, depth)
  }

  hiddenState(enc: Encoder, pixels: Tensor): Tensor {
    const { patchSize, layerNormEps } = this.config
    const x = enc.scope(() => {
      const patches = this.patchEmbedding.forward(enc, patchify(enc, pixels, patchSize))
      const embedded = embedPatches(enc, patches, this.positions, this.classEmbedding)
      return layerNorm(enc, embedded, this.preNorm.weight, this.preNorm.bias, layerNormEps)
    })
    return runBlocks(enc, this.blocks, x, pixels.shape[0]!)
  }
}

export const clip = defineVisionTower<VitConfig>({
  modelType: 'clip_vision_model',
  defaults: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    image_size: 224,
    patch_size: 32,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
  },

  parseConfig: (json) => parseVitConfig(json, true),

  params(config, depth) {
    const { hiddenSize: C, patchSize: P, patchTokens } = config
    return {
      'embeddings.class_embedding': vector(C),
      'embeddings.patch_embedding.weight': matrix(C, 3, P, P),
      'embeddings.position_embedding.weight': vector(patchTokens + 1, C),
      ...under('pre_layrnorm', layerNormSpecs(C)),
      ...encoderBlocksSpecs(config, depth),
    }
  },

  create: (config, weights, depth) => new ClipTower(config, weights, depth),
})
