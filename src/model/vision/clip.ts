import { embedPatches, patchify, type Encoder, type Tensor } from '../../kernels'
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
interface ClipNames {
  readonly classToken: string
  readonly patches: string
  readonly positions: string
  readonly preNorm: string
  readonly finalNorm: string
}

const HF_NAMES: ClipNames = {
  classToken: 'embeddings.class_embedding',
  patches: 'embeddings.patch_embedding',
  positions: 'embeddings.position_embedding.weight',
  // Misspelled in every checkpoint.
  preNorm: 'pre_layrnorm',
  finalNorm: 'post_layernorm',
}

const OPEN_CLIP_NAMES: ClipNames = {
  classToken: 'class_embedding',
  patches: 'conv1',
  positions: 'positional_embedding',
  preNorm: 'ln_pre',
  finalNorm: 'ln_post',
}

const OPEN_CLIP_BLOCKS: EncoderBlockNames = {
  blocks: 'transformer.resblocks',
  norm1: 'ln_1',
  // torch's MultiheadAttention calls it in_proj_weight; open-clip.ts renames.
  qkv: ['attn.in_proj'],
  out: 'attn.out_proj',
  norm2: 'ln_2',
  up: 'mlp.c_fc',
  down: 'mlp.c_proj',
}

/** CLIP's ViT: class token, and a norm before the first block. */
class ClipTower implements VisionTower {
  private readonly patchEmbedding: Linear
  private readonly classToken: Tensor
  private readonly positions: Tensor
  private readonly preNorm: LayerNorm
  private readonly blocks: EncoderBlock[]
  private readonly finalNorm: LayerNorm | undefined

  constructor(
    private readonly config: VitConfig,
    names: ClipNames,
    weights: Weights,
    { depth, finalNorm }: TowerOutput,
  ) {
    const { layerNormEps } = config
    this.patchEmbedding = Linear.at(weights.at(names.patches))
    this.classToken = weights.vector(names.classToken)
    this.positions = weights.vector(names.positions)
    this.preNorm = LayerNorm.at(weights.at(names.preNorm), layerNormEps)
    this.blocks = createBlocks(config, weights, depth)
    this.finalNorm = finalNorm ? LayerNorm.at(weights.at(names.finalNorm), layerNormEps) : undefined
  }

  features(enc: Encoder, pixels: Tensor): Tensor[] {
    const x = enc.scope(() => {
      const patches = this.patchEmbedding.forward(enc, patchify(enc, pixels, this.config.patchSize))
      return this.preNorm.forward(enc, embedPatches(enc, patches, this.positions, this.classToken))
    })
    const y = runBlocks(enc, this.blocks, x, pixels.shape[0]!)
    return [this.finalNorm?.forward(enc, y) ?? y]
  }
}

function clipSpecs(config: VitConfig, names: ClipNames, { depth, finalNorm }: TowerOutput): ParameterSpecs {
  const { hiddenSize: C, patchSize: P, patchTokens } = config
  return {
    [names.classToken]: vector(C),
    [`${names.patches}.weight`]: matrix(C, 3, P, P),
    [names.positions]: vector(patchTokens + 1, C),
    ...under(names.preNorm, layerNormSpecs(C)),
    ...encoderBlocksSpecs(config, depth),
    ...(finalNorm && under(names.finalNorm, layerNormSpecs(C))),
  }
}

/**
 * As Hugging Face writes it. last_hidden_state is without the final norm there, which the pooled class token alone has.
 *
 * Source: transformers CLIPVisionModel; Radford et al. 2021, arXiv:2103.00020.
 */
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
  params: (config, output) => clipSpecs(config, HF_NAMES, output),
  create: (config, weights, output) => new ClipTower(config, HF_NAMES, weights, output),
})

/** Settings of open_clip's VisionTransformer that change what it computes. */
const OPEN_CLIP_VARIANTS = ['ls_init_value', 'no_ln_pre', 'input_patchnorm', 'act_kwargs', 'norm_kwargs']

function parseOpenClipConfig(json: ConfigReader, input: TowerInput): VitConfig {
  const imageSize = fixedImageSize(json, input)
  const patchSize = json.size('patch_size')
  const hiddenSize = json.size('width')
  for (const name of OPEN_CLIP_VARIANTS) {
    if (json.has(name) && json.raw(name) !== false) json.fail(name, 'absent or null', json.raw(name))
  }
  return {
    imageSize,
    patchSize,
    hiddenSize,
    intermediateSize: Math.trunc(hiddenSize * json.float('mlp_ratio')),
    layers: json.count('layers'),
    heads: Math.floor(hiddenSize / json.size('head_width')),
    layerNormEps: 1e-5,
    activation: json.bool('quick_gelu') ? 'quick_gelu' : 'gelu',
    patchTokens: Math.floor(imageSize / patchSize) ** 2,
    hasClsToken: true,
    names: OPEN_CLIP_BLOCKS,
  }
}

/**
 * As open_clip writes its own ViT. Its config is open_clip's vision_cfg, and quick_gelu of the model around it.
 *
 * Source: open_clip 2.24 model.py (CLIPVisionCfg), transformer.py (VisionTransformer).
 */
export const openClipVit = defineVisionTower<VitConfig>({
  modelType: 'open_clip_vit',
  defaults: {
    layers: 12,
    width: 768,
    head_width: 64,
    mlp_ratio: 4,
    patch_size: 16,
    image_size: 224,
    quick_gelu: false,
  },
  unused: [/^proj$/, /^attn_pool\./],
  parseConfig: parseOpenClipConfig,
  params: (config, output) => clipSpecs(config, OPEN_CLIP_NAMES, output),
  create: (config, weights, output) => new ClipTower(config, OPEN_CLIP_NAMES, weights, output),
})
