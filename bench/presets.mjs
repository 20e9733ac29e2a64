// What is measured: one row a preset. Names are the `--preset` of the command line; `matmul-decode` and other beginnings of
// names stand for all presets that begin so.

/**
 * @typedef {'f32' | 'f16' | 'q4'} Held  how weights lie in memory, on both sides
 * @typedef {{ kind: 'matmul', name: string, held: Held, M: number, K: number, N: number }} MatmulPreset
 * @typedef {{ kind: 'attention', name: string, T: number, past: number, heads: number, kvHeads: number, headDim: number }} AttentionPreset
 * @typedef {{ layers: number, hidden: number, heads: number, kvHeads: number, headDim: number, mlp: number, vocab: number,
 *   rmsNormEps: number, theta: number, qkvBias: boolean, tied: boolean }} DecoderSizes
 * @typedef {{ kind: 'decoder', name: string, held: Held, phase: 'prompt' | 'decode', tokens: number, sizes: DecoderSizes }} DecoderPreset
 * @typedef {{ layers: number, hidden: number, heads: number, mlp: number, image: number, patch: number }} VisionSizes
 * @typedef {{ kind: 'vision', name: string, held: Held, sizes: VisionSizes }} VisionPreset
 * @typedef {MatmulPreset | AttentionPreset | DecoderPreset | VisionPreset} Preset
 */

/** @type {DecoderSizes} */
const QWEN2_4_LAYERS = {
  layers: 4,
  hidden: 896,
  heads: 14,
  kvHeads: 2,
  headDim: 64,
  mlp: 4864,
  vocab: 151_936,
  rmsNormEps: 1e-6,
  theta: 1e6,
  qkvBias: true,
  tied: true,
}

/** @type {VisionSizes} */
const SIGLIP_2_LAYERS = { layers: 2, hidden: 1152, heads: 16, mlp: 4304, image: 384, patch: 14 }

const held = /** @type {const} */ (['f32', 'f16', 'q4'])

/** @type {Preset[]} */
export const presets = [
  ...held.map((held) => matmul(`matmul-decode-${held}`, held, 1)),
  ...held.map((held) => matmul(`matmul-prompt-64-${held}`, held, 64)),
  ...held.map((held) => matmul(`matmul-prompt-729-${held}`, held, 729)),
  { kind: 'attention', name: 'attention-prompt', T: 729, past: 0, heads: 14, kvHeads: 2, headDim: 64 },
  { kind: 'attention', name: 'attention-decode', T: 1, past: 1023, heads: 14, kvHeads: 2, headDim: 64 },
  decoder('decode-qwen2-0.5b-4layers', 'q4', 'decode', 64),
  decoder('decode-qwen2-0.5b-4layers-f16', 'f16', 'decode', 64),
  decoder('prompt-qwen2-0.5b-4layers', 'q4', 'prompt', 729),
  decoder('prompt-qwen2-0.5b-4layers-f16', 'f16', 'prompt', 729),
  { kind: 'vision', name: 'encode-siglip-2layers', held: 'f16', sizes: SIGLIP_2_LAYERS },
]

/** @param {string} name @param {Held} held @param {number} M @returns {MatmulPreset} */
function matmul(name, held, M) {
  return { kind: 'matmul', name, held, M, K: 896, N: 4864 }
}

/** @param {string} name @param {Held} held @param {'prompt' | 'decode'} phase @param {number} tokens @returns {DecoderPreset} */
function decoder(name, held, phase, tokens) {
  return { kind: 'decoder', name, held, phase, tokens, sizes: QWEN2_4_LAYERS }
}

/** The preset of that name, or all whose names begin with it. @param {string} name */
export function selectPresets(name) {
  const exact = presets.filter((preset) => preset.name === name)
  return exact.length ? exact : presets.filter((preset) => preset.name.startsWith(`${name}-`))
}

/**
 * Work of one measured unit: a product, a token, a prompt or a picture. Bytes are those that must move at least once:
 * weights, and for attention keys and values; activations are small beside them and left out.
 *
 * @param {Preset} preset
 * @returns {{ flops: number, bytes: number }}
 */
export function workOf(preset) {
  if (preset.kind === 'matmul') {
    const { M, K, N, held } = preset
    return { flops: 2 * M * K * N, bytes: K * N * bytesPerWeight(held) }
  }
  if (preset.kind === 'attention') {
    const { T, past, heads, kvHeads, headDim } = preset
    const pairs = T * past + (T * (T + 1)) / 2
    return { flops: 4 * pairs * heads * headDim, bytes: 2 * (past + T) * kvHeads * headDim * 2 }
  }
  if (preset.kind === 'vision') {
    const { layers, hidden: C, mlp: F, image, patch } = preset.sizes
    const rows = Math.floor(image / patch) ** 2
    const weights = layers * (4 * C * C + 2 * C * F) + 3 * patch ** 2 * C
    return {
      flops: 2 * rows * weights + 4 * layers * rows ** 2 * C,
      bytes: weights * bytesPerWeight(preset.held),
    }
  }
  const { sizes, phase, tokens } = preset
  const { layers, hidden: C, heads, kvHeads, headDim: D, mlp: F, vocab: V } = sizes
  const weights = layers * (C * (heads + 2 * kvHeads) * D + heads * D * C + 3 * C * F)
  const rows = phase === 'prompt' ? tokens : 1
  const pairs = phase === 'prompt' ? (tokens * (tokens + 1)) / 2 : tokens
  const headBytes = preset.held === 'q4' ? 1 : bytesPerWeight(preset.held)
  return {
    flops: 2 * rows * weights + 2 * C * V + 4 * layers * pairs * heads * D,
    bytes: weights * bytesPerWeight(preset.held) + C * V * headBytes,
  }
}

/** With the scales of q4 blocks. @param {Held} held */
const bytesPerWeight = (held) => ({ f32: 4, f16: 2, q4: 0.5 + 4 / 32 })[held]
