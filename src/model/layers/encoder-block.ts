import {
  attentionFull,
  scaleAdd,
  swigluPacked,
  type Activation,
  type Encoder,
  type Tensor,
} from '../../kernels'
import { layerNormSpecs, linearSpecs, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import { LayerNorm } from './layer-norm'
import { Linear } from './linear'

/** Where a layout of checkpoints keeps a block's parameters, below the block. */
export interface EncoderBlockNames {
  /** Above the blocks' numbers: `encoder.layers`. */
  readonly blocks: string
  readonly norm1: string
  /** Queries, keys and values; one name where they are stacked in one matrix. */
  readonly qkv: readonly [q: string, k: string, v: string] | readonly [stacked: string]
  readonly out: string
  readonly norm2: string
  /** The MLP's two layers. */
  readonly up: string
  readonly down: string
  /** Factors on what attention and MLP add, where the layout has them. */
  readonly scales?: readonly [attention: string, mlp: string]
}

export interface EncoderBlockConfig {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  readonly layerNormEps: number
  /** Of a plain MLP. */
  readonly activation: Activation
  /** SwiGLU: `up` brings gates and values in one matrix, gates first. */
  readonly gated?: boolean
  /** Default: true. */
  readonly qkvBias?: boolean
  readonly names: EncoderBlockNames
}

/** Hugging Face's CLIP and SigLIP. */
export const CLIP_BLOCKS: EncoderBlockNames = {
  blocks: 'encoder.layers',
  norm1: 'layer_norm1',
  qkv: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
  out: 'self_attn.out_proj',
  norm2: 'layer_norm2',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
}

/** Parameters of one block. */
export function encoderBlockSpecs(config: EncoderBlockConfig): ParameterSpecs {
  const { hiddenSize: C, intermediateSize: F, gated = false, qkvBias = true, names } = config
  const { norm1, qkv, out, norm2, up, down, scales } = names
  const qkvRows = qkv.length === 1 ? 3 * C : C
  return {
    ...under(norm1, layerNormSpecs(C)),
    ...Object.assign({}, ...qkv.map((name) => under(name, linearSpecs(qkvRows, C, qkvBias)))),
    ...under(out, linearSpecs(C, C, true)),
    ...under(norm2, layerNormSpecs(C)),
    ...under(up, linearSpecs(gated ? 2 * F : F, C, true)),
    ...under(down, linearSpecs(C, F, true)),
    ...(scales && { [scales[0]]: vector(C), [scales[1]]: vector(C) }),
  }
}

/** Pre-norm transformer block of a vision tower: x += s1 * attn(norm1 x); x += s2 * mlp(norm2 x), s1 = s2 = 1 in most. */
export class EncoderBlock {
  private readonly norm1: LayerNorm
  private readonly qkv: readonly Linear[]
  private readonly out: Linear
  private readonly norm2: LayerNorm
  private readonly up: Linear
  private readonly down: Linear
  private readonly scales: readonly (Tensor | undefined)[]

  constructor(
    private readonly config: EncoderBlockConfig,
    weights: Weights,
  ) {
    const { layerNormEps, names } = config
    const linear = (name: string) => Linear.at(weights.at(name))
    this.norm1 = LayerNorm.at(weights.at(names.norm1), layerNormEps)
    this.qkv = names.qkv.map(linear)
    this.out = linear(names.out)
    this.norm2 = LayerNorm.at(weights.at(names.norm2), layerNormEps)
    this.up = linear(names.up)
    this.down = linear(names.down)
    this.scales = names.scales?.map((name) => weights.vector(name)) ?? []
  }

  /** Shapes: x [B*S, C] -> [B*S, C], attention within each of the `batch` pictures. */
  forward(enc: Encoder, x: Tensor, batch: number): Tensor {
    const attended = enc.scope(() =>
      this.addTo(enc, x, this.out, this.attend(enc, this.norm1.forward(enc, x), batch), this.scales[0]),
    )
    return enc.scope(() =>
      this.addTo(
        enc,
        attended,
        this.down,
        this.hidden(enc, this.norm2.forward(enc, attended)),
        this.scales[1],
      ),
    )
  }

  private attend(enc: Encoder, x: Tensor, batch: number): Tensor {
    const { heads, hiddenSize: C } = this.config
    const [q, k, v] = this.qkv.map((linear) => linear.forward(enc, x)) as [Tensor, Tensor?, Tensor?]
    if (k && v) return attentionFull(enc, q, k, v, { heads, batch })
    const columns = { q: 0, k: C, v: 2 * C, headDim: C / heads }
    return attentionFull(enc, q, q, q, { heads, batch, columns })
  }

  private hidden(enc: Encoder, x: Tensor): Tensor {
    const { gated, activation } = this.config
    return gated ? swigluPacked(enc, this.up.forward(enc, x)) : this.up.forward(enc, x, { activation })
  }

  /** x + scale * last(y). */
  private addTo(enc: Encoder, x: Tensor, last: Linear, y: Tensor, scale: Tensor | undefined): Tensor {
    return scale ? scaleAdd(enc, last.forward(enc, y), x, scale) : last.forward(enc, y, { residual: x })
  }
}

/** The parameters of the first `depth` blocks. */
export function encoderBlocksSpecs(config: EncoderBlockConfig, depth: number): ParameterSpecs {
  const blocks = Array.from({ length: depth }, (_, i) =>
    under(`${config.names.blocks}.${i}`, encoderBlockSpecs(config)),
  )
  return Object.assign({}, ...blocks) as ParameterSpecs
}

export function createBlocks(config: EncoderBlockConfig, weights: Weights, depth: number): EncoderBlock[] {
  return Array.from(
    { length: depth },
    (_, i) => new EncoderBlock(config, weights.at(`${config.names.blocks}.${i}`)),
  )
}

/** Runs blocks in order, giving each one's input back as soon as it is used. */
export function runBlocks(enc: Encoder, blocks: readonly EncoderBlock[], x: Tensor, batch: number): Tensor {
  for (const block of blocks) {
    const y = block.forward(enc, x, batch)
    enc.release(x)
    x = y
  }
  return x
}
