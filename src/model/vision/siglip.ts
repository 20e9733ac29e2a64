import { embedPatches, patchify, type Encoder, type Tensor } from '../../kernels'
import { createBlocks, encoderBlocksSpecs, runBlocks, type EncoderBlock } from '../layers/encoder-block'
import { Linear } from '../layers/linear'
import { parseVitConfig, type VitConfig } from '../layers/vit-config'
import { matrix, vector, type Weights } from '../parameters'
import { defineVisionTower, type VisionTower } from './definition'

/**
 * SigLIP's ViT: no class token, a bias on the patch embedding, the final norm left out as every VLM does.
 *
 * Source: transformers SiglipVisionModel; Zhai et al. 2023, arXiv:2303.15343.
 */
class SiglipTower implements VisionTower {
  private readonly patchEmbedding: Linear
  private readonly positions: Tensor
  private readonly blocks: EncoderBlock[]

  constructor(
    private readonly config: VitConfig,
    weights: Weights,
    depth: number,
  ) {
    this.patchEmbedding = Linear.at(weights.at('embeddings.patch_embedding'))
    this.positions = weights.vector('embeddings.position_embedding.weight')
    this.blocks = createBlocks(config, weights, depth)
  }

  hiddenState(enc: Encoder, pixels: Tensor): Tensor {
    const x = enc.scope(() => {
      const patches = this.patchEmbedding.forward(enc, patchify(enc, pixels, this.config.patchSize))
      return embedPatches(enc, patches, this.positions)
    })
    return runBlocks(enc, this.blocks, x, pixels.shape[0]!)
  }
}

export const siglip = defineVisionTower<VitConfig>({
  modelType: 'siglip_vision_model',
  defaults: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    image_size: 224,
    patch_size: 16,
    hidden_act: 'gelu_pytorch_tanh',
    layer_norm_eps: 1e-6,
  },

  parseConfig: (json) => parseVitConfig(json, false),

  params(config, depth) {
    const { hiddenSize: C, patchSize: P, patchTokens } = config
    return {
      'embeddings.patch_embedding.weight': matrix(C, 3, P, P),
      'embeddings.patch_embedding.bias': vector(C),
      'embeddings.position_embedding.weight': vector(patchTokens, C),
      ...encoderBlocksSpecs(config, depth),
    }
  },

  create: (config, weights, depth) => new SiglipTower(config, weights, depth),
})
