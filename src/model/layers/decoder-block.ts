import {
  appendKv,
  attention,
  rmsNorm,
  rope,
  swiglu,
  type Encoder,
  type KvCache,
  type Tensor,
} from '../../kernels'
import { linearSpecs, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import { Linear } from './linear'

export interface DecoderBlockConfig {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly rmsNormEps: number
  readonly qkvBias: boolean
  readonly outputBias: boolean
  readonly mlpBias: boolean
  readonly slidingWindow: number | undefined
}

/** Parameters of one block under Hugging Face's Llama names. */
export function decoderBlockSpecs(config: DecoderBlockConfig): ParameterSpecs {
  const { hiddenSize: C, intermediateSize: F, heads, kvHeads, headDim: D } = config
  return {
    'input_layernorm.weight': vector(C),
    ...under('self_attn.q_proj', linearSpecs(heads * D, C, config.qkvBias)),
    ...under('self_attn.k_proj', linearSpecs(kvHeads * D, C, config.qkvBias)),
    ...under('self_attn.v_proj', linearSpecs(kvHeads * D, C, config.qkvBias)),
    ...under('self_attn.o_proj', linearSpecs(C, heads * D, config.outputBias)),
    'post_attention_layernorm.weight': vector(C),
    ...under('mlp.gate_proj', linearSpecs(F, C, config.mlpBias)),
    ...under('mlp.up_proj', linearSpecs(F, C, config.mlpBias)),
    ...under('mlp.down_proj', linearSpecs(C, F, config.mlpBias)),
  }
}

/** What every block of a step shares. */
export interface DecoderStep {
  /** Position of the first row in the conversation. */
  readonly position: number
  /** f32 [rotary / 2]. */
  readonly frequencies: Tensor
  readonly rotaryDim: number
  /** Factor on cos and sin (longrope). */
  readonly ropeScale: number
}

/** Pre-norm decoder block: x += o(attn(rope q, rope k, v)); x += down(silu(gate) * up). */
export class DecoderBlock {
  private readonly q: Linear
  private readonly k: Linear
  private readonly v: Linear
  private readonly o: Linear
  private readonly gate: Linear
  private readonly up: Linear
  private readonly down: Linear
  private readonly inputNorm: Tensor
  private readonly postNorm: Tensor

  constructor(
    private readonly config: DecoderBlockConfig,
    weights: Weights,
  ) {
    const attn = weights.at('self_attn')
    this.q = Linear.at(attn.at('q_proj'))
    this.k = Linear.at(attn.at('k_proj'))
    this.v = Linear.at(attn.at('v_proj'))
    this.o = Linear.at(attn.at('o_proj'))
    this.gate = Linear.at(weights.at('mlp.gate_proj'))
    this.up = Linear.at(weights.at('mlp.up_proj'))
    this.down = Linear.at(weights.at('mlp.down_proj'))
    this.inputNorm = weights.vector('input_layernorm.weight')
    this.postNorm = weights.vector('post_attention_layernorm.weight')
  }

  /**
   * Shapes: x [T, C] -> [T, C]; appends T keys and values to the cache at `step.position`. `beforeAttention` is told the
   * rotated queries [T, H*D].
   */
  forward(
    enc: Encoder,
    x: Tensor,
    cache: KvCache,
    step: DecoderStep,
    beforeAttention?: (q: Tensor) => void,
  ): Tensor {
    const { heads, headDim, rmsNormEps, slidingWindow } = this.config
    const { position, frequencies, rotaryDim, ropeScale } = step
    const rotate = (y: Tensor) =>
      rope(enc, y, { headDim, rotaryDim, position, frequencies, scale: ropeScale })
    const attended = enc.scope(() => {
      const normed = rmsNorm(enc, x, this.inputNorm, rmsNormEps)
      const q = rotate(this.q.forward(enc, normed))
      const k = rotate(this.k.forward(enc, normed))
      const v = this.v.forward(enc, normed)
      appendKv(enc, cache, k, v, position)
      beforeAttention?.(q)
      return this.o.forward(enc, attention(enc, q, cache, { heads, position, slidingWindow }), {
        residual: x,
      })
    })
    return enc.scope(() => {
      const normed = rmsNorm(enc, attended, this.postNorm, rmsNormEps)
      const hidden = swiglu(enc, this.gate.forward(enc, normed), this.up.forward(enc, normed))
      return this.down.forward(enc, hidden, { residual: attended })
    })
  }
}
