import { embedPatches, patchify, type Encoder, type Tensor } from '../../kernels'
import { createBlocks, encoderBlocksSpecs, runBlocks, type EncoderBlock } from '../layers/encoder-block'
import { LayerNorm } from '../layers/layer-norm'
import { Linear } from '../layers/linear'
import { parseVitConfig, type VitConfig } from '../layers/vit-config'
import { layerNormSpecs, matrix, under, vector, type Weights } from '../parameters'
import { defineVisionTower, type TowerOutput, type VisionTower } from './definition'

/**
 * CLIP's ViT: class token, a norm before the first block (`pre_layrnorm`, misspelled in every checkpoint). Hugging
 * Face's last_hidden_state is without the final norm, which goes over the class token alone there.
 *
 * Source: transformers CLIPVisionModel; Radford et al. 2021, arXiv:2103.00020.
 */
class ClipTower implements VisionTower {
  private readonly patchEmbedding: Linear
  private readonly classEmbedding: Tensor
  private readonly positions: Tensor
  private readonly preNorm: LayerNorm
  private readonly blocks: EncoderBlock[]
  private readonly finalNorm: LayerNorm | undefined

  constructor(
    private readonly config: VitConfig,
    weights: Weights,
    { depth, finalNorm }: TowerOutput,
  ) {
    const { layerNormEps } = config
    this.patchEmbedding = Linear.at(weights.at('embeddings.patch_embedding'))
    this.classEmbedding = weights.vector('embeddings.class_embedding')
    this.positions = weights.vector('embeddings.position_embedding.weight')
    this.preNorm = LayerNorm.at(weights.at('pre_layrnorm'), layerNormEps)
    this.blocks = createBlocks(config, weights, depth)
    this.finalNorm = finalNorm ? LayerNorm.at(weights.at('post_layernorm'), layerNormEps) : undefined
  }

  features(enc: Encoder, pixels: Tensor): Tensor[] {
    const x = enc.scope(() => {
      const patches = this.patchEmbedding.forward(enc, patchify(enc, pixels, this.config.patchSize))
      return this.preNorm.forward(enc, embedPatches(enc, patches, this.positions, this.classEmbedding))
    })
    const y = runBlocks(enc, this.blocks, x, pixels.shape[0]!)
    return [this.finalNorm?.forward(enc, y) ?? y]
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

  unused: [/^embeddings\.position_ids$/],

  parseConfig: (json, input) => parseVitConfig(json, true, input),

  params(config, { depth, finalNorm }) {
    const { hiddenSize: C, patchSize: P, patchTokens } = config
    return {
      'embeddings.class_embedding': vector(C),
      'embeddings.patch_embedding.weight': matrix(C, 3, P, P),
      'embeddings.position_embedding.weight': vector(patchTokens + 1, C),
      ...under('pre_layrnorm', layerNormSpecs(C)),
      ...encoderBlocksSpecs(config, depth),
      ...(finalNorm && under('post_layernorm', layerNormSpecs(C))),
    }
  },

  create: (config, weights, output) => new ClipTower(config, weights, output),
})
