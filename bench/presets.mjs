// What is measured: one row a preset. Names are the `--preset` of the command line; `matmul-decode` and other beginnings of
// names stand for all presets that begin so.

/**
 * @typedef {'f32' | 'f16' | 'q4'} Held  how weights lie in memory, on both sides
 * @typedef {{ kind: 'matmul', name: string, held: Held, M: number, K: number, N: number }} MatmulPreset
 * @typedef {{ kind: 'attention', name: string, T: number, past: number, heads: number, kvHeads: number, headDim: number }} AttentionPreset
 * @typedef {{ kind: 'sva', name: string, side: number, reduce: number[], heads: number, headDim: number }} SvaPreset
 *   side * side queries, each over a window of reduce * reduce cells of every tower's map
 * @typedef {{ model: 'qwen2' | 'phi3' | 'llama', layers: number, hidden: number, heads: number, kvHeads: number, headDim: number,
 *   mlp: number, vocab: number, rmsNormEps: number, theta: number, qkvBias: boolean, tied: boolean }} DecoderSizes
 * @typedef {{ kind: 'decoder', name: string, held: Held, phase: 'prompt' | 'decode', tokens: number, sizes: DecoderSizes }} DecoderPreset
 *   tokens: of the prompt, or those that the decoded ones find in the cache
 * @typedef {{ model: 'siglip' | 'clip', layers: number, hidden: number, heads: number, mlp: number, image: number, patch: number }} VisionSizes
 * @typedef {{ kind: 'vision', name: string, held: Held, sizes: VisionSizes }} VisionPreset
 * @typedef {{ kind: 'train-run', name: string, pytorch: string, model: string, samples: string, order: string, curve: string,
 *   batch: number, positions: number, learned: number, sizes: LayerSizes & { layers: number, vocab: number } }} TrainRunPreset
 *   one step of a run, always the same samples
 * @typedef {Omit<DecoderSizes, 'model' | 'layers' | 'vocab' | 'tied'>} LayerSizes
 * @typedef {{ kind: 'train-layer', name: string, pytorch: string, held: Held, batch: number, tokens: number,
 *   sizes: LayerSizes }} TrainLayerPreset  one sequence a batch
 * @typedef {TrainRunPreset | TrainLayerPreset} TrainPreset
 * @typedef {MatmulPreset | AttentionPreset | SvaPreset | DecoderPreset | VisionPreset} InferencePreset
 * @typedef {InferencePreset | TrainPreset} Preset
 */

/** @type {DecoderSizes} */
const QWEN2_4_LAYERS = {
  model: 'qwen2',
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

/** @type {DecoderSizes} */
const PHI3_MINI_2_LAYERS = {
  model: 'phi3',
  layers: 2,
  hidden: 3072,
  heads: 32,
  kvHeads: 32,
  headDim: 96,
  mlp: 8192,
  vocab: 32_064,
  rmsNormEps: 1e-5,
  theta: 1e4,
  qkvBias: false,
  tied: false,
}

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

/** The whole vocabulary of 128,256 rows is 2.4 times its one layer. @type {DecoderSizes} */
const LLAMA_3_8B_1_LAYER = { model: 'llama', layers: 1, vocab: 128_256, tied: false, ...LLAMA_3_8B }

/** What browsers on software adapters do in seconds. @type {DecoderSizes} */
const SMALL_DECODER = {
  ...QWEN2_4_LAYERS,
  layers: 2,
  hidden: 256,
  heads: 4,
  kvHeads: 2,
  mlp: 1024,
  vocab: 4096,
}

/** @type {VisionSizes} */
const SIGLIP_2_LAYERS = {
  model: 'siglip',
  layers: 2,
  hidden: 1152,
  heads: 16,
  mlp: 4304,
  image: 384,
  patch: 14,
}

/** @type {VisionSizes} */
const CLIP_L_2_LAYERS = { ...SIGLIP_2_LAYERS, model: 'clip', hidden: 1024, mlp: 4096, image: 336 }

/** @type {VisionSizes} */
const SMALL_TOWER = { ...SIGLIP_2_LAYERS, hidden: 256, heads: 4, mlp: 1024, image: 112 }

/** Of public/models/trilobite-nano-stage1. */
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
}

const held = /** @type {const} */ (['f32', 'f16', 'q4'])
const smallHeld = /** @type {const} */ (['f32', 'q4'])

/** @type {Preset[]} */
export const presets = [
  ...held.map((held) => matmul(`matmul-decode-${held}`, held, 1)),
  ...held.map((held) => matmul(`matmul-prompt-64-${held}`, held, 64)),
  ...held.map((held) => matmul(`matmul-prompt-729-${held}`, held, 729)),
  { kind: 'attention', name: 'attention-prompt', T: 729, past: 0, heads: 14, kvHeads: 2, headDim: 64 },
  { kind: 'attention', name: 'attention-decode', T: 1, past: 1023, heads: 14, kvHeads: 2, headDim: 64 },
  { kind: 'sva', name: 'sva-cambrian', side: 24, reduce: [1, 1, 1, 4], heads: 16, headDim: 64 },
  decoder('decode-qwen2-0.5b-4layers', 'q4', 64, QWEN2_4_LAYERS),
  decoder('decode-qwen2-0.5b-4layers-f16', 'f16', 64, QWEN2_4_LAYERS),
  decoder('decode-qwen2-0.5b-4layers-256', 'q4', 256, QWEN2_4_LAYERS),
  decoder('decode-qwen2-0.5b-4layers-4k', 'q4', 4096, QWEN2_4_LAYERS),
  decoder('prompt-qwen2-0.5b-4layers', 'q4', 729, QWEN2_4_LAYERS),
  decoder('prompt-qwen2-0.5b-4layers-f16', 'f16', 729, QWEN2_4_LAYERS),
  decoder('decode-phi3-mini-2layers', 'q4', 64, PHI3_MINI_2_LAYERS),
  decoder('decode-phi3-mini-2layers-f16', 'f16', 64, PHI3_MINI_2_LAYERS),
  decoder('prompt-phi3-mini-2layers-64', 'q4', 64, PHI3_MINI_2_LAYERS),
  decoder('prompt-phi3-mini-2layers-64-f16', 'f16', 64, PHI3_MINI_2_LAYERS),
  decoder('decode-llama3-8b-1layer', 'q4', 64, LLAMA_3_8B_1_LAYER),
  decoder('prompt-llama3-8b-1layer-16', 'q4', 16, LLAMA_3_8B_1_LAYER),
  { kind: 'vision', name: 'encode-siglip-2layers', held: 'f16', sizes: SIGLIP_2_LAYERS },
  { kind: 'vision', name: 'encode-clip-l-2layers', held: 'f16', sizes: CLIP_L_2_LAYERS },
  ...smallHeld.map((held) => matmul(`matmul-small-${held}`, held, 64, { K: 256, N: 1024 })),
  ...smallHeld.map((held) => decoder(`decode-small-${held}`, held, 64, SMALL_DECODER)),
  ...smallHeld.map((held) => decoder(`prompt-small-${held}`, held, 64, SMALL_DECODER)),
  { kind: 'vision', name: 'encode-small-f32', held: 'f32', sizes: SMALL_TOWER },
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
function matmul(name, held, M, { K, N } = { K: 896, N: 4864 }) {
  return { kind: 'matmul', name, held, M, K, N }
}

/** @param {string} name @param {Held} held @param {number} tokens @param {DecoderSizes} sizes @returns {DecoderPreset} */
function decoder(name, held, tokens, sizes) {
  const phase = name.startsWith('prompt') ? 'prompt' : 'decode'
  return { kind: 'decoder', name, held, phase, tokens, sizes }
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

/** Those that a browser on a software adapter does in seconds. */
export const smallPresets = presets.filter(({ name }) => name.includes('-small-'))

/** Tokens decoded at most before the cache is as long as `tokens` again. */
export const DECODED_TOKENS = 64

/** Units that one measurement may have. @param {Preset} preset */
export const mostUnits = (preset) =>
  preset.kind === 'decoder' && preset.phase === 'decode' ? DECODED_TOKENS : 1000
