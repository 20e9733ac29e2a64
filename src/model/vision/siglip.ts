import { embedPatches, patchify, reshape, type Activation, type Encoder, type Tensor } from '../../kernels'
import type { ConfigReader } from '../config-reader'
import {
  createBlocks,
  encoderBlocksSpecs,
  runBlocks,
  type EncoderBlock,
  type EncoderBlockNames,
} from '../layers/encoder-block'
import { LayerNorm } from '../layers/layer-norm'
import { Linear } from '../layers/linear'
import { fixedImageSize, parseVitConfig, type VitConfig } from '../layers/vit-config'
import { layerNormSpecs, matrix, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import { defineVisionTower, type TowerInput, type TowerOutput, type VisionTower } from './definition'

/** Where a layout keeps what is around the blocks. */
interface SiglipNames {
  readonly patches: string
  readonly positions: string
  /** Axes of the positions above their rows. */
  readonly positionAxes: readonly number[]
  readonly finalNorm: string
}

const HF_NAMES: SiglipNames = {
  patches: 'embeddings.patch_embedding',
  positions: 'embeddings.position_embedding.weight',
  positionAxes: [],
  finalNorm: 'post_layernorm',
}

const TIMM_NAMES: SiglipNames = {
  patches: 'patch_embed.proj',
  positions: 'pos_embed',
  positionAxes: [1],
  finalNorm: 'norm',
}

const TIMM_BLOCKS: EncoderBlockNames = {
  blocks: 'blocks',
  norm1: 'norm1',
  qkv: ['attn.qkv'],
  out: 'attn.proj',
  norm2: 'norm2',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
}

/** SigLIP's ViT: no class token, a bias on the patch embedding. Its pooling head is of no use to a language model. */
class SiglipTower implements VisionTower {
  private readonly patchEmbedding: Linear
  private readonly positions: Tensor
  private readonly blocks: EncoderBlock[]
  private readonly finalNorm: LayerNorm | undefined

  constructor(
    private readonly config: VitConfig,
    names: SiglipNames,
    weights: Weights,
    { depth, finalNorm }: TowerOutput,
  ) {
    const { patchTokens, hiddenSize, layerNormEps } = config
    this.patchEmbedding = Linear.at(weights.at(names.patches))
    this.positions = reshape(weights.vector(names.positions), [patchTokens, hiddenSize])
    this.blocks = createBlocks(config, weights, depth)
    this.finalNorm = finalNorm ? LayerNorm.at(weights.at(names.finalNorm), layerNormEps) : undefined
  }

  features(enc: Encoder, pixels: Tensor): Tensor[] {
    const x = enc.scope(() => {
      const patches = this.patchEmbedding.forward(enc, patchify(enc, pixels, this.config.patchSize))
      return embedPatches(enc, patches, this.positions)
    })
    const y = runBlocks(enc, this.blocks, x, pixels.shape[0]!)
    return [this.finalNorm?.forward(enc, y) ?? y]
  }
}

function siglipSpecs(
  config: VitConfig,
  names: SiglipNames,
  { depth, finalNorm }: TowerOutput,
): ParameterSpecs {
  const { hiddenSize: C, patchSize: P, patchTokens } = config
  return {
    [`${names.patches}.weight`]: matrix(C, 3, P, P),
    [`${names.patches}.bias`]: vector(C),
    [names.positions]: vector(...names.positionAxes, patchTokens, C),
    ...encoderBlocksSpecs(config, depth),
    ...(finalNorm && under(names.finalNorm, layerNormSpecs(C))),
  }
}

/**
 * As Hugging Face writes it.
 *
 * Source: transformers SiglipVisionModel; Zhai et al. 2023, arXiv:2303.15343.
 */
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
  unused: [/^head\./, /^embeddings\.position_ids$/],
  parseConfig: (json, input) => parseVitConfig(json, false, input),
  params: (config, output) => siglipSpecs(config, HF_NAMES, output),
  create: (config, weights, output) => new SiglipTower(config, HF_NAMES, weights, output),
})

/** timm's `act_layer`; where it is not given, the class's exact GELU. */
const TIMM_ACTIVATIONS: Readonly<Record<string, Activation>> = { gelu: 'gelu', gelu_tanh: 'gelu_tanh' }

function parseTimmConfig(json: ConfigReader, input: TowerInput): VitConfig {
  const imageSize = fixedImageSize(json, input)
  const patchSize = json.size('patch_size')
  const hiddenSize = json.size('embed_dim')
  return {
    imageSize,
    patchSize,
    hiddenSize,
    intermediateSize: Math.trunc(hiddenSize * json.float('mlp_ratio')),
    layers: json.count('depth'),
    heads: json.size('num_heads'),
    layerNormEps: 1e-6,
    activation: json.oneOf('act_layer', TIMM_ACTIVATIONS),
    patchTokens: Math.floor(imageSize / patchSize) ** 2,
    hasClsToken: false,
    names: TIMM_BLOCKS,
  }
}

/**
 * As timm and open_clip write it: queries, keys and values stacked, and mostly the exact GELU, where the original and
 * Hugging Face's port have the tanh form. Its config is the arguments of timm's VisionTransformer and an image_size.
 *
 * Source: timm 0.9.16 vision_transformer.py.
 */
export const timmSiglip = defineVisionTower<VitConfig>({
  modelType: 'timm_siglip',
  defaults: { mlp_ratio: 4, act_layer: 'gelu' },
  unused: [/^attn_pool\./, /^head\./],
  parseConfig: parseTimmConfig,
  params: (config, output) => siglipSpecs(config, TIMM_NAMES, output),
  create: (config, weights, output) => new SiglipTower(config, TIMM_NAMES, weights, output),
})
