import {
  add,
  attention,
  gatherRows,
  rmsNorm,
  rmsNormBackward,
  ropeAppend,
  splice,
  type AttentionOptions,
  type Encoder,
  type KvCache,
  type RowNorm,
  type Tensor,
} from '../../kernels'
import { linearSpecs, stacked, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import { attendSegments, attendSegmentsBackward, type SegmentsSaved, type Sequences } from './causal-segments'
import { GatedMlp, type HiddenRows } from './gated-mlp'
import { Linear } from './linear'
import { qkvOf, valuesOf, type Qkv, type Rotation } from './qkv'

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
  /** q, k and v are rows of one matrix in that order, and so are gate and up (Phi-3). */
  readonly fusedProjections: boolean
}

/** Parameters of one block under Hugging Face's Llama names, the fused ones under Phi-3's. */
export function decoderBlockSpecs(config: DecoderBlockConfig): ParameterSpecs {
  const { hiddenSize: C, intermediateSize: F, heads, kvHeads, headDim: D, qkvBias, mlpBias } = config
  const attention = config.fusedProjections
    ? under('self_attn.qkv_proj', linearSpecs((heads + 2 * kvHeads) * D, C, qkvBias))
    : under(
        'self_attn',
        stacked('qkv_proj', ['q_proj', 'k_proj', 'v_proj'], {
          ...under('q_proj', linearSpecs(heads * D, C, qkvBias)),
          ...under('k_proj', linearSpecs(kvHeads * D, C, qkvBias)),
          ...under('v_proj', linearSpecs(kvHeads * D, C, qkvBias)),
        }),
      )
  const mlp = config.fusedProjections
    ? under('mlp.gate_up_proj', linearSpecs(2 * F, C, mlpBias))
    : {
        ...under('mlp.gate_proj', linearSpecs(F, C, mlpBias)),
        ...under('mlp.up_proj', linearSpecs(F, C, mlpBias)),
      }
  return {
    'input_layernorm.weight': vector(C),
    ...attention,
    ...under('self_attn.o_proj', linearSpecs(C, heads * D, config.outputBias)),
    'post_attention_layernorm.weight': vector(C),
    ...mlp,
    ...under('mlp.down_proj', linearSpecs(C, F, mlpBias)),
  }
}

/** What a block's backward pass needs beside its input. */
export interface BlockActivations {
  /** Rotated, [T, H*D]. */
  readonly q: Tensor
  /** Rotated, [T, KV*D]. */
  readonly k: Tensor
  /** [T, KV*D]. */
  readonly v: Tensor
  readonly saved: SegmentsSaved
  /** [T, C], or [R, C] where some rows were asked for; of these are the hidden rows too. */
  readonly attended: Tensor
  readonly hidden: HiddenRows
}

/** Bytes of a block's activations for each position. */
export function activationBytes(config: DecoderBlockConfig): number {
  const { hiddenSize: C, intermediateSize: F, heads, kvHeads, headDim: D } = config
  // q and y of attention, its log-sum-exp, k and v, the sum behind it, gate and up.
  return 4 * (2 * heads * D + heads + 2 * kvHeads * D + C + 2 * F)
}

/** Pre-norm decoder block: x += o(attn(rope q, rope k, v)); x += down(silu(gate) * up). */
export class DecoderBlock {
  private readonly qkv: Qkv
  private readonly o: Linear
  private readonly mlp: GatedMlp
  private readonly inputNorm: Tensor
  private readonly postNorm: Tensor

  constructor(
    private readonly config: DecoderBlockConfig,
    weights: Weights,
  ) {
    const attn = weights.at('self_attn')
    this.qkv = qkvOf(config, attn)
    this.o = Linear.at(attn.at('o_proj'))
    this.mlp = GatedMlp.at(weights.at('mlp'), config.fusedProjections)
    this.inputNorm = weights.vector('input_layernorm.weight')
    this.postNorm = weights.vector('post_attention_layernorm.weight')
  }

  /**
   * Shapes: x [T, C] -> [T, C]; appends T keys and values to the cache at `step.position`. `beforeAttention` is told the
   * rotated queries [T, H*D] and how they attend.
   */
  forward(
    enc: Encoder,
    x: Tensor,
    cache: KvCache,
    step: Rotation,
    beforeAttention?: (q: Tensor, options: AttentionOptions) => void,
  ): Tensor {
    const { heads, slidingWindow } = this.config
    const { position } = step
    const options = { heads, position, slidingWindow }
    const attended = enc.scope(() => {
      const unturned = this.qkv.project(enc, x, this.rowNorm(this.inputNorm))
      const q = ropeAppend(enc, unturned, cache, {
        heads,
        rotaryDim: step.rotaryDim,
        frequencies: step.frequencies,
        position,
        scale: step.ropeScale,
      })
      beforeAttention?.(q, options)
      return this.o.forward(enc, attention(enc, q, cache, options), { residual: x })
    })
    return enc.scope(() => this.mlp.forwardNormed(enc, attended, this.rowNorm(this.postNorm), attended))
  }

  /**
   * As `forward`, without a cache: several sequences, none of which sees another. What lies between is kept where `keep`.
   *
   * Shapes: x [T, C] -> y [T, C], or [R, C] of these rows.
   */
  forwardTraining(
    enc: Encoder,
    x: Tensor,
    sequences: Sequences,
    rotation: Rotation,
    { keep, rows }: { readonly keep?: boolean; readonly rows?: Tensor | undefined } = {},
  ): { y: Tensor; kept?: BlockActivations } {
    return enc.scope(() => {
      const between = this.activations(enc, x, sequences, rotation, rows)
      const y = this.mlp.forwardHidden(enc, between.hidden, between.attended)
      return keep ? { y, kept: between } : { y }
    })
  }

  /**
   * dLoss/dx; what lies between is computed again where it was not kept.
   *
   * Shapes: dy as y of the forward pass, x [T, C] -> [T, C].
   */
  backward(
    enc: Encoder,
    dy: Tensor,
    x: Tensor,
    sequences: Sequences,
    rotation: Rotation,
    { kept, rows }: { readonly kept?: BlockActivations | undefined; readonly rows?: Tensor | undefined } = {},
  ): Tensor {
    return enc.scope(() => {
      const between = kept ?? this.activations(enc, x, sequences, rotation, rows)
      const { q, k, v, saved, attended, hidden } = between
      const dAttended = enc.scope(() => {
        const dNormed = this.mlp.backward(enc, dy, hidden)
        return add(enc, this.normBackward(enc, dNormed, attended, this.postNorm), dy)
      })
      const dy2 = spread(enc, this.o.backward(enc, dAttended), q.shape, rows)
      const gradients = attendSegmentsBackward(enc, dy2, q, k, v, saved, sequences, this.config)
      const dNormed = this.qkv.backward(enc, gradients, rotation)
      const dResidual = spread(enc, dAttended, x.shape, rows)
      return add(enc, this.normBackward(enc, dNormed, x, this.inputNorm), dResidual)
    })
  }

  /** What the backward pass needs, up to where the MLP's activation begins. */
  private activations(
    enc: Encoder,
    x: Tensor,
    sequences: Sequences,
    rotation: Rotation,
    rows: Tensor | undefined,
  ): BlockActivations {
    return enc.scope(() => {
      const attention = this.attend(enc, x, sequences, rotation, rows)
      return { ...attention, hidden: this.mlp.hidden(enc, this.norm(enc, attention.attended, this.postNorm)) }
    })
  }

  /** x + o(attention), and what its backward pass needs. */
  private attend(
    enc: Encoder,
    x: Tensor,
    sequences: Sequences,
    rotation: Rotation,
    rows: Tensor | undefined,
  ) {
    return enc.scope(() => {
      const projected = this.qkv.forward(enc, this.norm(enc, x, this.inputNorm), rotation)
      const { q, k } = projected
      const v = valuesOf(enc, projected, this.config)
      const { y, saved } = attendSegments(enc, q, k, v, sequences, this.config)
      const of = (all: Tensor) => (rows ? gatherRows(enc, all, rows) : all)
      return { q, k, v, saved, attended: this.o.forward(enc, of(y), { residual: of(x) }) }
    })
  }

  private rowNorm(gain: Tensor): RowNorm {
    return { gain, eps: this.config.rmsNormEps }
  }

  private norm(enc: Encoder, x: Tensor, weight: Tensor): Tensor {
    return rmsNorm(enc, x, weight, this.config.rmsNormEps)
  }

  private normBackward(enc: Encoder, dy: Tensor, x: Tensor, weight: Tensor): Tensor {
    return rmsNormBackward(enc, dy, x, weight, this.config.rmsNormEps)
  }
}

/** Gradients of some rows among zeros for the others; all of them where no rows are named. */
export function spread(
  enc: Encoder,
  some: Tensor,
  shape: readonly number[],
  rows: Tensor | undefined,
): Tensor {
  if (!rows) return some
  const all = enc.temp(shape, 'f32', 'gradients among zeros')
  enc.clear(all)
  splice(enc, all, some, rows)
  return all
}
