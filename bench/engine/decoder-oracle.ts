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

/** Logits of the last `wanted` positions in float64. Shapes: ids [T] -> [wanted, V]. */
export async function decoderOracle(
  values: HeldValues,
  sizes: DecoderSizes,
  ids: Uint32Array,
  wanted: number,
): Promise<Float64Array> {
  const { hidden: C, heads: H, kvHeads: KV, headDim: D, rmsNormEps, theta, vocab: V } = sizes
  const T = ids.length
  const positions = Array.from({ length: T }, (_, t) => t)
  const { frequencies } = ropeFrequencies({ theta, rotaryDim: D, maxPositions: 32_768 }, T)
  const dims = { B: 1, T, S: T, H, KV, D, scale: 1 / Math.sqrt(D), causal: { position: 0, window: T } }

  let x: Float64Array = new Float64Array(T * C)
  for (const [t, id] of ids.entries()) {
    x.set(await values.matrix('model.embed_tokens.weight', id, 1), t * C)
  }
  for (let layer = 0; layer < sizes.layers; layer++) {
    const at = `model.layers.${layer}`
    const project = async (name: string, y: Float64Array, K: number, residual?: Float64Array) => {
      const bias =
        /[qkv]_proj/.test(name) && sizes.qkvBias ? await values.vector(`${at}.${name}.bias`) : undefined
      return matmulRef(y, await values.matrix(`${at}.${name}.weight`), K, { bias, residual })
    }
    const normed = rmsNormRef(x, await values.vector(`${at}.input_layernorm.weight`), rmsNormEps)
    const q = ropeRef(await project('self_attn.q_proj', normed, C), frequencies, positions, D)
    const k = ropeRef(await project('self_attn.k_proj', normed, C), frequencies, positions, D)
    const v = await project('self_attn.v_proj', normed, C)
    x = await project('self_attn.o_proj', attentionRef(q, k, v, dims), H * D, x)
    const after = rmsNormRef(x, await values.vector(`${at}.post_attention_layernorm.weight`), rmsNormEps)
    const hidden = swigluRef(await project('mlp.gate_proj', after, C), await project('mlp.up_proj', after, C))
    x = await project('mlp.down_proj', hidden, sizes.mlp, x)
  }
  const last = rmsNormRef(x.subarray((T - wanted) * C), await values.vector('model.norm.weight'), rmsNormEps)
  const logits = new Float64Array(wanted * V)
  for (let row = 0; row < V; row += HEAD_ROWS) {
    const rows = Math.min(HEAD_ROWS, V - row)
    const part = matmulRef(last, await values.matrix('lm_head.weight', row, rows), C)
    for (let i = 0; i < wanted; i++) logits.set(part.subarray(i * rows, (i + 1) * rows), i * V + row)
  }
  return logits
}
