import { ropeFrequencies } from '../../src/kernels'
import { attentionRef } from '../../src/kernels/attention/attention.ref'
import { matmulRef } from '../../src/kernels/matmul/matmul.ref'
import { rmsNormRef } from '../../src/kernels/rms-norm/rms-norm.ref'
import { ropeRef } from '../../src/kernels/rope/rope.ref'
import { swigluRef } from '../../src/kernels/swiglu/swiglu.ref'
import type { DecoderSizes } from '../presets.mjs'
import type { HeldValues } from './weights'

/** Rows of the output matrix read back at a time. */
const HEAD_ROWS = 16_384

/**
 * Logits of the last `wanted` positions in float64; the last layer attends and projects for these alone.
 *
 * Shapes: ids [T] -> [wanted, V].
 */
export async function decoderOracle(
  values: HeldValues,
  sizes: DecoderSizes,
  ids: Uint32Array,
  wanted: number,
): Promise<Float64Array> {
  const { layers, hidden: C, heads: H, kvHeads: KV, headDim: D, vocab: V } = sizes
  const { rmsNormEps, theta, qkvBias } = sizes
  const T = ids.length
  const { frequencies } = ropeFrequencies({ theta, rotaryDim: D, maxPositions: 32_768 }, T)
  const places = placesOf(sizes)

  let x: Float64Array = new Float64Array(T * C)
  for (const [t, id] of ids.entries()) {
    x.set(await values.matrix('model.embed_tokens.weight', id, 1), t * C)
  }
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`
    const project = async (part: Part, y: Float64Array, residual?: Float64Array) => {
      const { name, start, rows, cols } = places[part]
      const isBiased = qkvBias && ['q', 'k', 'v'].includes(part)
      const bias = isBiased ? await values.vector(`${at}.${name}.bias`) : undefined
      return matmulRef(y, await values.matrix(`${at}.${name}.weight`, start, rows), cols, { bias, residual })
    }
    const rotate = (y: Float64Array, first: number) => {
      const positions = Array.from({ length: T - first }, (_, t) => first + t)
      return ropeRef(y, frequencies, positions, D)
    }
    const first = layer === layers - 1 ? T - wanted : 0
    const normed = rmsNormRef(x, await values.vector(`${at}.input_layernorm.weight`), rmsNormEps)
    const q = rotate(await project('q', normed.subarray(first * C)), first)
    const k = rotate(await project('k', normed), 0)
    const v = await project('v', normed)
    const causal = { position: first, window: T }
    const dims = { B: 1, T: T - first, S: T, H, KV, D, scale: 1 / Math.sqrt(D), causal }
    x = await project('o', attentionRef(q, k, v, dims), x.subarray(first * C))
    const after = rmsNormRef(x, await values.vector(`${at}.post_attention_layernorm.weight`), rmsNormEps)
    const gated = swigluRef(await project('gate', after), await project('up', after))
    x = await project('down', gated, x)
  }
  const last = rmsNormRef(x, await values.vector('model.norm.weight'), rmsNormEps)
  const logits = new Float64Array(wanted * V)
  for (let row = 0; row < V; row += HEAD_ROWS) {
    const rows = Math.min(HEAD_ROWS, V - row)
    const part = matmulRef(last, await values.matrix('lm_head.weight', row, rows), C)
    for (let i = 0; i < wanted; i++) logits.set(part.subarray(i * rows, (i + 1) * rows), i * V + row)
  }
  return logits
}

type Part = 'q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down'

/** A projection [rows, cols], which begins at row `start` of the parameter `name` of its layer. */
interface Place {
  readonly name: string
  readonly start: number
  readonly rows: number
  readonly cols: number
}

/** Phi-3 keeps the projections of one input in one matrix. */
function placesOf({
  model,
  hidden: C,
  heads,
  kvHeads,
  headDim: D,
  mlp: F,
}: DecoderSizes): Record<Part, Place> {
  const isFused = model === 'phi3'
  const [Q, KV] = [heads * D, kvHeads * D]
  const place = (name: string, rows: number, cols: number) => ({ name, start: 0, rows, cols })
  const within = (fused: string, start: number, own: string, rows: number) =>
    isFused ? { ...place(fused, rows, C), start } : place(own, rows, C)
  return {
    q: within('self_attn.qkv_proj', 0, 'self_attn.q_proj', Q),
    k: within('self_attn.qkv_proj', Q, 'self_attn.k_proj', KV),
    v: within('self_attn.qkv_proj', Q + KV, 'self_attn.v_proj', KV),
    o: place('self_attn.o_proj', C, Q),
    gate: within('mlp.gate_up_proj', 0, 'mlp.gate_proj', F),
    up: within('mlp.gate_up_proj', F, 'mlp.up_proj', F),
    down: place('mlp.down_proj', C, F),
  }
}
