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
 * @typedef {{ kind: 'train-run', name: string, pytorch: string, model: string, samples: string, order: string, curve: string,
 *   batch: number, positions: number, learned: number, sizes: DecoderSizes }} TrainRunPreset  one step of a run, always the same samples
 * @typedef {Omit<DecoderSizes, 'layers' | 'vocab' | 'tied'>} LayerSizes
 * @typedef {{ kind: 'train-layer', name: string, pytorch: string, held: Held, batch: number, tokens: number,
 *   sizes: LayerSizes }} TrainLayerPreset  one sequence a batch
 * @typedef {TrainRunPreset | TrainLayerPreset} TrainPreset
 * @typedef {MatmulPreset | AttentionPreset | DecoderPreset | VisionPreset | TrainPreset} Preset
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

/** @type {LayerSizes} */
const LLAMA_3_8B = {
  hidden: 4096,
  heads: 32,
  kvHeads: 8,
  headDim: 128,
  mlp: 14_336,
  rmsNormEps: 1e-5,
  theta: 5e5,
  qkvBias: false,
}

/** Of public/models/trilobite-nano-stage1. @type {DecoderSizes} */
const NANO = {
  layers: 4,
  hidden: 192,
  heads: 6,
  kvHeads: 2,
  headDim: 32,
  mlp: 512,
  vocab: 704,
  rmsNormEps: 1e-5,
  theta: 1e4,
  qkvBias: false,
  tied: false,
}

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
  {
    kind: 'train-run',
    name: 'train-stage1-nano',
    pytorch: 'stage1-nano',
    model: 'public/models/trilobite-nano-stage1',
    samples: 'public/samples/stage-1.zip',
    order: 'e2e/stage1/order.json',
    curve: 'e2e/stage1/loss-curve.json',
    batch: 8,
    positions: 615,
    learned: 95,
    sizes: NANO,
  },
  ...held.map((held) => trainLayer('layer-qwen2-0.5b', held, 640, QWEN2_4_LAYERS)),
  ...held.map((held) => trainLayer('layer-llama-3-8b', held, 64, LLAMA_3_8B)),
]

/** @param {string} name @param {Held} held @param {number} M @returns {MatmulPreset} */
function matmul(name, held, M) {
  return { kind: 'matmul', name, held, M, K: 896, N: 4864 }
}

/** @param {string} name @param {Held} held @param {'prompt' | 'decode'} phase @param {number} tokens @returns {DecoderPreset} */
function decoder(name, held, phase, tokens) {
  return { kind: 'decoder', name, held, phase, tokens, sizes: QWEN2_4_LAYERS }
}

/** @param {string} pytorch @param {Held} held @param {number} tokens @param {LayerSizes} sizes @returns {TrainLayerPreset} */
function trainLayer(pytorch, held, tokens, sizes) {
  const name = held === 'f32' ? `train-${pytorch}` : `train-${pytorch}-${held}`
  return { kind: 'train-layer', name, pytorch, held, batch: 1, tokens, sizes }
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
  if (preset.kind === 'train-layer') {
    return layerTraining(preset.sizes, preset.tokens, pairsOf(preset.tokens), bytesPerWeight(preset.held))
  }
  if (preset.kind === 'train-run') {
    const { sizes, positions, learned, batch } = preset
    const layer = layerTraining(sizes, positions, batch * pairsOf(positions / batch), bytesPerWeight('f16'))
    const head = sizes.hidden * sizes.vocab
    return {
      flops: sizes.layers * layer.flops + 3 * 2 * learned * head,
      bytes: sizes.layers * layer.bytes + 3 * head * bytesPerWeight('f16'),
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

/** Pairs of a query and a key that it sees. @param {number} tokens */
const pairsOf = (tokens) => (tokens * (tokens + 1)) / 2

/**
 * A layer forward, forward again, and back to its input: products with the weights three times, attention's two twice
 * and the four of its gradient.
 *
 * @param {LayerSizes} sizes @param {number} tokens @param {number} pairs @param {number} bytes  a weight
 */
function layerTraining({ hidden: C, heads, kvHeads, headDim: D, mlp: F }, tokens, pairs, bytes) {
  const weights = C * (heads + 2 * kvHeads) * D + heads * D * C + 3 * C * F
  return { flops: 3 * 2 * tokens * weights + (2 * 4 + 8) * pairs * heads * D, bytes: 3 * weights * bytes }
}

/** With the scales of q4 blocks. @param {Held} held */
const bytesPerWeight = (held) => ({ f32: 4, f16: 2, q4: 0.5 + 4 / 32 })[held]
