import {
  embedPatches,
  patchify,
  resampleRows,
  reshape,
  takeRows,
  type Encoder,
  type Tensor,
} from '../../kernels'
import { ACTIVATIONS } from '../activations'
import {
  createBlocks,
  encoderBlocksSpecs,
  runBlocks,
  type EncoderBlock,
  type EncoderBlockNames,
} from '../layers/encoder-block'
import { LayerNorm } from '../layers/layer-norm'
import { Linear } from '../layers/linear'
import type { VitConfig } from '../layers/vit-config'
import { layerNormSpecs, matrix, under, vector, type Weights } from '../parameters'
import { defineVisionTower, type PositionStretch, type TowerOutput, type VisionTower } from './definition'

interface Dinov2Config extends VitConfig {
  /** Side of the grid that the position table was trained on. */
  readonly tableSide: number
  readonly positions: PositionStretch
}

const BLOCKS: EncoderBlockNames = {
  blocks: 'encoder.layer',
  norm1: 'norm1',
  qkv: ['attention.attention.query', 'attention.attention.key', 'attention.attention.value'],
  out: 'attention.output.dense',
  norm2: 'norm2',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
  scales: ['layer_scale1.lambda1', 'layer_scale2.lambda1'],
}
const SWIGLU_BLOCKS: EncoderBlockNames = { ...BLOCKS, up: 'mlp.weights_in', down: 'mlp.weights_out' }

/** Added to a grid's sides so that divisions by the resulting factor do not end a cell short. */
const SCALE_MARGIN = 0.1

/**
 * DINOv2's ViT: class token, layer scale, and positions stretched to pictures of any shape. Its last_hidden_state is
 * behind the final norm.
 *
 * Source: transformers Dinov2Model; Oquab et al. 2023, arXiv:2304.07193.
 */
class Dinov2Tower implements VisionTower {
  private readonly patchEmbedding: Linear
  private readonly classToken: Tensor
  private readonly table: Tensor
  private readonly blocks: EncoderBlock[]
  private readonly finalNorm: LayerNorm | undefined

  constructor(
    private readonly config: Dinov2Config,
    weights: Weights,
    { depth, finalNorm }: TowerOutput,
  ) {
    const { hiddenSize: C, tableSide, layerNormEps } = config
    this.patchEmbedding = Linear.at(weights.at('embeddings.patch_embeddings.projection'))
    this.classToken = reshape(weights.vector('embeddings.cls_token'), [C])
    this.table = reshape(weights.vector('embeddings.position_embeddings'), [tableSide ** 2 + 1, C])
    this.blocks = createBlocks(config, weights, depth)
    this.finalNorm = finalNorm ? LayerNorm.at(weights.at('layernorm'), layerNormEps) : undefined
  }

  /** Shapes: as VisionTower.features, but pictures need not be square. */
  features(enc: Encoder, pixels: Tensor): Tensor[] {
    const { patchSize } = this.config
    const [batch, , height, width] = pixels.shape as [number, number, number, number]
    const grid = { height: Math.floor(height / patchSize), width: Math.floor(width / patchSize) }
    const x = enc.scope(() => {
      const patches = this.patchEmbedding.forward(enc, patchify(enc, pixels, patchSize))
      return embedPatches(enc, patches, this.positionsFor(enc, grid), this.classToken)
    })
    const y = runBlocks(enc, this.blocks, x, batch)
    return [this.finalNorm?.forward(enc, y) ?? y]
  }

  /** Shapes: -> [grid.height * grid.width + 1, C], the class token's first, which is never stretched. */
  private positionsFor(enc: Encoder, grid: { height: number; width: number }): Tensor {
    const { table } = this
    const { tableSide: side, hiddenSize: C, positions } = this.config
    if (grid.height === side && grid.width === side) return table
    const margin = positions === 'scale' ? SCALE_MARGIN : 0
    return enc.scope(() => {
      const stretched = resampleRows(enc, takeRows(enc, table, { batch: 1, start: 1, count: side ** 2 }), {
        from: { height: side, width: side },
        to: grid,
        step: { y: side / (grid.height + margin), x: side / (grid.width + margin) },
        mode: 'bicubic',
      })
      const all = enc.temp([grid.height * grid.width + 1, C], 'f32', 'positions')
      const rowBytes = C * 4
      enc.copy(table, all, { bytes: rowBytes })
      enc.copy(stretched, all, { toOffset: rowBytes })
      return all
    })
  }
}

export const dinov2 = defineVisionTower<Dinov2Config>({
  modelType: 'dinov2',
  defaults: {
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    mlp_ratio: 4,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-6,
    image_size: 224,
    patch_size: 14,
    qkv_bias: true,
    use_swiglu_ffn: false,
  },
  unused: [/^embeddings\.mask_token$/],

  parseConfig(json, { positions = 'size', ...input }) {
    const tablePixels = json.size('image_size')
    const imageSize = input.imageSize ?? input.defaultImageSize ?? tablePixels
    const patchSize = json.size('patch_size')
    const hiddenSize = json.size('hidden_size')
    const hidden = Math.trunc(hiddenSize * json.float('mlp_ratio'))
    const gated = json.bool('use_swiglu_ffn')
    return {
      imageSize,
      patchSize,
      hiddenSize,
      // Two thirds of a plain MLP's width, for there are three matrices; whole eights.
      intermediateSize: gated ? Math.ceil(Math.trunc((hidden * 2) / 3) / 8) * 8 : hidden,
      layers: json.count('num_hidden_layers'),
      heads: json.size('num_attention_heads'),
      layerNormEps: json.float('layer_norm_eps'),
      activation: json.oneOf('hidden_act', ACTIVATIONS),
      gated,
      qkvBias: json.bool('qkv_bias'),
      names: gated ? SWIGLU_BLOCKS : BLOCKS,
      patchTokens: Math.floor(imageSize / patchSize) ** 2,
      hasClsToken: true,
      tableSide: Math.floor(tablePixels / patchSize),
      positions,
    }
  },

  params(config, { depth, finalNorm }) {
    const { hiddenSize: C, patchSize: P, tableSide } = config
    return {
      'embeddings.cls_token': vector(1, 1, C),
      'embeddings.position_embeddings': vector(1, tableSide ** 2 + 1, C),
      ...under('embeddings.patch_embeddings.projection', { weight: matrix(C, 3, P, P), bias: vector(C) }),
      ...encoderBlocksSpecs(config, depth),
      ...(finalNorm && under('layernorm', layerNormSpecs(C))),
    }
  },

  create: (config, weights, output) => new Dinov2Tower(config, weights, output),
})
