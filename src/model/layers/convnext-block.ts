import { depthwiseConv, rowsOf, scaleAdd, type Activation, type Encoder, type Tensor } from '../../kernels'
import {
  layerNormSpecs,
  matrix,
  under,
  vector,
  type ParameterSpec,
  type ParameterSpecs,
  type Weights,
} from '../parameters'
import { LayerNorm } from './layer-norm'
import { Linear } from './linear'
import { rowsAt, rowTiles } from './row-tiles'

/** Side of the depthwise kernel. */
const KERNEL = 7
/** The MLP is this much wider than the map. */
const EXPANSION = 4
/**
 * Bytes of the MLP's hidden rows that exist at once: a 256 x 256 map of 384 channels would make 403 MB of them. With 32 MiB,
 * and 16 for the norms between stages, a ConvNeXt-XXL at 1024 pixels takes 496 MiB of temporaries, 180 of them its maps;
 * with twice as much 673 MiB.
 */
const HIDDEN_BYTES = 32 * 2 ** 20

/** Maps that lie one after another, row-major. */
export interface MapSize {
  readonly batch: number
  readonly height: number
  readonly width: number
}

/** Where a layout of checkpoints keeps a block's parameters, below the block. */
export interface ConvNextBlockNames {
  readonly depthwise: string
  readonly norm: string
  readonly up: string
  readonly down: string
  readonly scale: string
}

export interface ConvNextBlockConfig {
  readonly width: number
  readonly layerNormEps: number
  readonly activation: Activation
  /** The MLP's layers are stored as 1x1 convolutions. */
  readonly convMlp: boolean
  readonly names: ConvNextBlockNames
}

export function convNextBlockSpecs({ width: C, convMlp, names }: ConvNextBlockConfig): ParameterSpecs {
  const F = EXPANSION * C
  const layer = (out: number, inFeatures: number): Record<string, ParameterSpec> => ({
    weight: convMlp ? matrix(out, inFeatures, 1, 1) : matrix(out, inFeatures),
    bias: vector(out),
  })
  return {
    ...under(names.depthwise, { weight: vector(C, 1, KERNEL, KERNEL), bias: vector(C) }),
    ...under(names.norm, layerNormSpecs(C)),
    ...under(names.up, layer(F, C)),
    ...under(names.down, layer(C, F)),
    [names.scale]: vector(C),
  }
}

/** ConvNeXt's block: x += scale * mlp(norm(depthwise(x))). Source: Liu et al. 2022, arXiv:2201.03545. */
export class ConvNextBlock {
  private readonly taps: Tensor
  private readonly bias: Tensor
  private readonly norm: LayerNorm
  private readonly up: Linear
  private readonly down: Linear
  private readonly scale: Tensor

  constructor(
    private readonly config: ConvNextBlockConfig,
    weights: Weights,
    private readonly hiddenBytes = HIDDEN_BYTES,
  ) {
    const { names, layerNormEps } = config
    this.taps = weights.vector(`${names.depthwise}.weight`)
    this.bias = weights.vector(`${names.depthwise}.bias`)
    this.norm = LayerNorm.at(weights.at(names.norm), layerNormEps)
    this.up = Linear.at(weights.at(names.up))
    this.down = Linear.at(weights.at(names.down))
    this.scale = weights.vector(names.scale)
  }

  /** Shapes: x [B*H*W, C], row-major maps -> [B*H*W, C]: x itself, changed, or a tensor in its place. */
  forward(enc: Encoder, x: Tensor, size: MapSize): Tensor {
    return enc.scope(() => {
      const mixed = depthwiseConv(enc, x, this.taps, this.bias, { ...size, kernel: KERNEL })
      const { width } = this.config
      const tiles = rowTiles(enc.gpu.caps, rowsOf(x), {
        rowBytes: 4 * width,
        heldBytes: 4 * EXPANSION * width,
        limitBytes: this.hiddenBytes,
      })
      if (tiles.length === 1) {
        const y = this.mlp(enc, mixed, x)
        enc.release(x)
        return y
      }
      for (const { start, count } of tiles) {
        const tile = rowsAt(x, start, count)
        enc.scope(() => enc.copy(this.mlp(enc, rowsAt(mixed, start, count), tile), tile))
      }
      return x
    })
  }

  private mlp(enc: Encoder, mixed: Tensor, residual: Tensor): Tensor {
    return enc.scope(() => {
      const normed = this.norm.forward(enc, mixed)
      const hidden = this.up.forward(enc, normed, { activation: this.config.activation })
      enc.release(normed)
      return scaleAdd(enc, this.down.forward(enc, hidden), residual, this.scale)
    })
  }
}
