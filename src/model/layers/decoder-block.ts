import {
  appendKv,
  attention,
  rmsNorm,
  rope,
  swiglu,
  swigluPacked,
  type AttentionOptions,
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
  /** q, k and v are rows of one matrix in that order, and so are gate and up (Phi-3). */
  readonly fusedProjections: boolean
}

/** Parameters of one block under Hugging Face's Llama names, the fused ones under Phi-3's. */
export function decoderBlockSpecs(config: DecoderBlockConfig): ParameterSpecs {
  const { hiddenSize: C, intermediateSize: F, heads, kvHeads, headDim: D, qkvBias, mlpBias } = config
  const attention = config.fusedProjections
    ? under('self_attn.qkv_proj', linearSpecs((heads + 2 * kvHeads) * D, C, qkvBias))
    : {
        ...under('self_attn.q_proj', linearSpecs(heads * D, C, qkvBias)),
        ...under('self_attn.k_proj', linearSpecs(kvHeads * D, C, qkvBias)),
        ...under('self_attn.v_proj', linearSpecs(kvHeads * D, C, qkvBias)),
      }
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

/** Projections of the normed rows; values may lie inside fused rows, from a column on. */
interface Projected {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly vStart: number
}

type Project = (enc: Encoder, normed: Tensor, step: DecoderStep) => Projected
type Gated = (enc: Encoder, normed: Tensor) => Tensor

/** Pre-norm decoder block: x += o(attn(rope q, rope k, v)); x += down(silu(gate) * up). */
export class DecoderBlock {
  private readonly project: Project
  private readonly gated: Gated
  private readonly o: Linear
  private readonly down: Linear
  private readonly inputNorm: Tensor
  private readonly postNorm: Tensor

  constructor(
    private readonly config: DecoderBlockConfig,
    weights: Weights,
  ) {
    const attn = weights.at('self_attn')
    const mlp = weights.at('mlp')
    this.project = config.fusedProjections ? fusedProjection(config, attn) : separateProjections(config, attn)
    this.gated = config.fusedProjections ? fusedGate(mlp) : separateGate(mlp)
    this.o = Linear.at(attn.at('o_proj'))
    this.down = Linear.at(mlp.at('down_proj'))
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
    step: DecoderStep,
    beforeAttention?: (q: Tensor, options: AttentionOptions) => void,
  ): Tensor {
    const { heads, rmsNormEps, slidingWindow } = this.config
    const { position } = step
    const options = { heads, position, slidingWindow }
    const attended = enc.scope(() => {
      const normed = rmsNorm(enc, x, this.inputNorm, rmsNormEps)
      const { q, k, v, vStart } = this.project(enc, normed, step)
      appendKv(enc, cache, k, v, position, { kStart: 0, vStart })
      beforeAttention?.(q, options)
      return this.o.forward(enc, attention(enc, q, cache, options), { residual: x })
    })
    return enc.scope(() => {
      const normed = rmsNorm(enc, attended, this.postNorm, rmsNormEps)
      return this.down.forward(enc, this.gated(enc, normed), { residual: attended })
    })
  }
}

/** What `rope` needs to turn heads of a projection, which start at a column of its rows. */
const turned = (config: DecoderBlockConfig, step: DecoderStep, start: number, heads: number) => ({
  headDim: config.headDim,
  rotaryDim: step.rotaryDim,
  position: step.position,
  frequencies: step.frequencies,
  scale: step.ropeScale,
  start,
  heads,
})

function separateProjections(config: DecoderBlockConfig, attn: Weights): Project {
  const { heads, kvHeads } = config
  const q = Linear.at(attn.at('q_proj'))
  const k = Linear.at(attn.at('k_proj'))
  const v = Linear.at(attn.at('v_proj'))
  return (enc, normed, step) => ({
    q: rope(enc, q.forward(enc, normed), turned(config, step, 0, heads)),
    k: rope(enc, k.forward(enc, normed), turned(config, step, 0, kvHeads)),
    v: v.forward(enc, normed),
    vStart: 0,
  })
}

function fusedProjection(config: DecoderBlockConfig, attn: Weights): Project {
  const { heads, kvHeads, headDim } = config
  const qkv = Linear.at(attn.at('qkv_proj'))
  const kStart = heads * headDim
  return (enc, normed, step) => {
    const rows = qkv.forward(enc, normed)
    return {
      q: rope(enc, rows, turned(config, step, 0, heads)),
      k: rope(enc, rows, turned(config, step, kStart, kvHeads)),
      v: rows,
      vStart: kStart + kvHeads * headDim,
    }
  }
}

function separateGate(mlp: Weights): Gated {
  const gate = Linear.at(mlp.at('gate_proj'))
  const up = Linear.at(mlp.at('up_proj'))
  return (enc, normed) => swiglu(enc, gate.forward(enc, normed), up.forward(enc, normed))
}

function fusedGate(mlp: Weights): Gated {
  const gateUp = Linear.at(mlp.at('gate_up_proj'))
  return (enc, normed) => swigluPacked(enc, gateUp.forward(enc, normed))
}
