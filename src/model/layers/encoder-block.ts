import { attentionFull, layerNorm, type Activation, type Encoder, type Tensor } from '../../kernels'
import { layerNormSpecs, linearSpecs, under, type ParameterSpecs, type Weights } from '../parameters'
import { Linear } from './linear'

export interface EncoderBlockConfig {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  readonly layerNormEps: number
  readonly activation: Activation
}

/** Parameters of one block under Hugging Face's CLIP and SigLIP names. */
export function encoderBlockSpecs(config: EncoderBlockConfig): ParameterSpecs {
  const { hiddenSize: C, intermediateSize: F } = config
  return {
    ...under('layer_norm1', layerNormSpecs(C)),
    ...under('self_attn.q_proj', linearSpecs(C, C, true)),
    ...under('self_attn.k_proj', linearSpecs(C, C, true)),
    ...under('self_attn.v_proj', linearSpecs(C, C, true)),
    ...under('self_attn.out_proj', linearSpecs(C, C, true)),
    ...under('layer_norm2', layerNormSpecs(C)),
    ...under('mlp.fc1', linearSpecs(F, C, true)),
    ...under('mlp.fc2', linearSpecs(C, F, true)),
  }
}

/** Pre-norm transformer block of a vision tower: x += attn(norm1 x); x += mlp(norm2 x). */
export class EncoderBlock {
  private readonly q: Linear
  private readonly k: Linear
  private readonly v: Linear
  private readonly out: Linear
  private readonly fc1: Linear
  private readonly fc2: Linear
  private readonly norm1: { weight: Tensor; bias: Tensor }
  private readonly norm2: { weight: Tensor; bias: Tensor }

  constructor(
    private readonly config: EncoderBlockConfig,
    weights: Weights,
  ) {
    const attention = weights.at('self_attn')
    this.q = Linear.at(attention.at('q_proj'))
    this.k = Linear.at(attention.at('k_proj'))
    this.v = Linear.at(attention.at('v_proj'))
    this.out = Linear.at(attention.at('out_proj'))
    this.fc1 = Linear.at(weights.at('mlp.fc1'))
    this.fc2 = Linear.at(weights.at('mlp.fc2'))
    this.norm1 = { weight: weights.vector('layer_norm1.weight'), bias: weights.vector('layer_norm1.bias') }
    this.norm2 = { weight: weights.vector('layer_norm2.weight'), bias: weights.vector('layer_norm2.bias') }
  }

  /** Shapes: x [B*S, C] -> [B*S, C], attention within each of the `batch` pictures. */
  forward(enc: Encoder, x: Tensor, batch: number): Tensor {
    const { heads, layerNormEps, activation } = this.config
    const attended = enc.scope(() => {
      const normed = layerNorm(enc, x, this.norm1.weight, this.norm1.bias, layerNormEps)
      const q = this.q.forward(enc, normed)
      const k = this.k.forward(enc, normed)
      const v = this.v.forward(enc, normed)
      return this.out.forward(enc, attentionFull(enc, q, k, v, { heads, batch }), { residual: x })
    })
    return enc.scope(() => {
      const normed = layerNorm(enc, attended, this.norm2.weight, this.norm2.bias, layerNormEps)
      return this.fc2.forward(enc, this.fc1.forward(enc, normed, { activation }), { residual: attended })
    })
  }
}

/** The parameters of the first `depth` blocks, under `encoder.layers.`. */
export function encoderBlocksSpecs(config: EncoderBlockConfig, depth: number): ParameterSpecs {
  const blocks = Array.from({ length: depth }, (_, i) =>
    under(`encoder.layers.${i}`, encoderBlockSpecs(config)),
  )
  return Object.assign({}, ...blocks) as ParameterSpecs
}

export function createBlocks(config: EncoderBlockConfig, weights: Weights, depth: number): EncoderBlock[] {
  return Array.from({ length: depth }, (_, i) => new EncoderBlock(config, weights.at(`encoder.layers.${i}`)))
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
