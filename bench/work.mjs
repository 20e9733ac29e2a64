// Arithmetic and memory traffic of a preset, for speeds and for the adapter's limit.

/** @typedef {import('./presets.mjs').Preset} Preset */

/**
 * Work of one measured unit: a product, a token, a prompt or a picture. Bytes are those that must move at least once:
 * weights, and for attention keys and values; activations are small beside them and left out.
 *
 * @param {Preset} preset
 * @returns {{ flops: number, bytes: number }}
 */
export function workOf(preset) {
  switch (preset.kind) {
    case 'matmul': {
      const { M, K, N, held } = preset
      return { flops: 2 * M * K * N, bytes: K * N * bytesPerWeight(held) }
    }
    case 'attention': {
      const { T, past, heads, kvHeads, headDim } = preset
      const pairs = T * past + pairsOf(T)
      return { flops: 4 * pairs * heads * headDim, bytes: 2 * (past + T) * kvHeads * headDim * 2 }
    }
    case 'sva': {
      // Windows do not overlap: every cell is a key of one query.
      const cells = preset.side ** 2 * preset.reduce.reduce((sum, r) => sum + r * r, 0)
      const width = preset.heads * preset.headDim
      return { flops: 4 * cells * width, bytes: 2 * cells * width * 4 }
    }
    case 'vision':
      return encoding(preset)
    case 'decoder':
      return decoding(preset)
    case 'train-layer': {
      const { sizes, tokens, held } = preset
      return layerTraining(sizes, tokens, pairsOf(tokens), bytesPerWeight(held))
    }
    case 'train-run': {
      const { sizes, positions, learned, batch } = preset
      const pairs = batch * pairsOf(positions / batch)
      const layer = layerTraining(sizes, positions, pairs, bytesPerWeight('f16'))
      const head = sizes.hidden * sizes.vocab
      return {
        flops: sizes.layers * layer.flops + 3 * 2 * learned * head,
        bytes: sizes.layers * layer.bytes + 3 * head * bytesPerWeight('f16'),
      }
    }
  }
}

/** @param {import('./presets.mjs').VisionPreset} preset */
function encoding({ sizes, held }) {
  const { layers, hidden: C, mlp: F, patch } = sizes
  const patches = patchesOf(sizes)
  const rows = rowsOf(sizes)
  const perLayer = 4 * C * C + 2 * C * F
  const embedding = 3 * patch ** 2 * C
  return {
    flops: 2 * rows * layers * perLayer + 2 * patches * embedding + 4 * layers * rows ** 2 * C,
    bytes: (layers * perLayer + embedding) * bytesPerWeight(held),
  }
}

/** @param {import('./presets.mjs').VisionSizes} sizes */
export const patchesOf = ({ image, patch }) => Math.floor(image / patch) ** 2

/** Patches, and CLIP's class token. @param {import('./presets.mjs').VisionSizes} sizes */
export const rowsOf = (sizes) => patchesOf(sizes) + Number(sizes.model === 'clip')

/** @param {import('./presets.mjs').DecoderPreset} preset */
function decoding({ sizes, phase, tokens, held }) {
  const { layers, hidden: C, heads, kvHeads, headDim: D, vocab: V } = sizes
  const weights = layers * layerWeights(sizes)
  const rows = phase === 'prompt' ? tokens : 1
  const pairs = phase === 'prompt' ? pairsOf(tokens) : tokens
  const cacheBytes = 2 * layers * tokens * kvHeads * D * (held === 'f32' ? 4 : 2)
  const headBytes = held === 'q4' ? 1 : bytesPerWeight(held)
  return {
    flops: 2 * rows * weights + 2 * C * V + 4 * layers * pairs * heads * D,
    bytes: weights * bytesPerWeight(held) + C * V * headBytes + cacheBytes,
  }
}

/** @param {import('./presets.mjs').LayerSizes} sizes */
const layerWeights = ({ hidden: C, heads, kvHeads, headDim: D, mlp: F }) =>
  C * (heads + 2 * kvHeads) * D + heads * D * C + 3 * C * F

/** Pairs of a query and a key that it sees. @param {number} tokens */
const pairsOf = (tokens) => (tokens * (tokens + 1)) / 2

/**
 * A layer forward, forward again, and back to its input: products with the weights three times, attention's two twice
 * and the four of its gradient.
 *
 * @param {import('./presets.mjs').LayerSizes} sizes @param {number} tokens @param {number} pairs @param {number} bytes  a weight
 */
function layerTraining(sizes, tokens, pairs, bytes) {
  const weights = layerWeights(sizes)
  const { heads, headDim } = sizes
  return {
    flops: 3 * 2 * tokens * weights + (2 * 4 + 8) * pairs * heads * headDim,
    bytes: 3 * weights * bytes,
  }
}

/** With the scales of q4 blocks. @param {import('./presets.mjs').Held} held */
const bytesPerWeight = (held) => ({ f32: 4, f16: 2, q4: 0.5 + 4 / 32 })[held]
