// The peer's graphs for every preset, in the operators that ONNX Runtime's own exporters write: MatMulNBits for 4 bits,
// GroupQueryAttention with the rotary embedding inside, SkipSimplifiedLayerNormalization, MultiHeadAttention for towers.

import { CONTRIB, Graph } from './onnx.mjs'

/**
 * @typedef {{ f16: boolean, maxBindingBytes: number }} Device
 * @typedef {import('../presets.mjs').Preset} Preset
 */

const MAX_POSITIONS = 4096

/** @param {string} path @param {Preset} preset @param {Device} device */
export function writeGraph(path, preset, device) {
  const g = new Graph(path)
  const held = preset.kind === 'attention' ? 'f16' : preset.held
  const element = elementOf(held, device)
  const make = new Layers(g, element, held === 'q4', device.maxBindingBytes)
  if (preset.kind === 'matmul') matmulGraph(make, preset)
  else if (preset.kind === 'attention') attentionGraph(make, preset)
  else if (preset.kind === 'decoder') decoderGraph(make, preset.sizes)
  else visionGraph(make, preset.sizes)
  g.save()
}

/** Type of the peer's activations. @param {import('../presets.mjs').Held} held @param {Device} device @returns {'f32' | 'f16'} */
export const elementOf = (held, device) => (held === 'f32' || !device.f16 ? 'f32' : 'f16')

/** Adds two numbers; reading the sum waits for all work queued before. @param {string} path */
export function writeFence(path) {
  const g = new Graph(path)
  g.input('x', 'f32', [1])
  g.op('Add', ['x', 'x'], 'y')
  g.output('y', 'f32', [1])
  g.save()
}

class Layers {
  /** @param {Graph} graph @param {'f32' | 'f16'} element @param {boolean} isQ4 @param {number} maxBindingBytes */
  constructor(graph, element, isQ4, maxBindingBytes) {
    this.graph = graph
    this.element = element
    this.isQ4 = isQ4
    this.maxBindingBytes = maxBindingBytes
  }

  /** x W + b with constant W. @param {string} x @param {string} name @param {number} K @param {number} N @param {boolean} [bias] */
  linear(x, name, K, N, bias = false) {
    const { graph: g, element } = this
    const deviation = 1 / Math.sqrt(K)
    let y
    if (this.isQ4) {
      const weights = g.quantised(name, element, N, K, deviation)
      // accuracy_level 4 lets it quantise activations to 8 bits, as its exporters ask for.
      const attributes = { K, N, bits: 4, block_size: 32, accuracy_level: 4 }
      y = g.op('MatMulNBits', [x, ...weights], `${name}.y`, attributes, CONTRIB)
    } else {
      y = g.op('MatMul', [x, g.weight(`${name}.weight`, element, [K, N], deviation)], `${name}.y`)
    }
    return bias ? g.op('Add', [y, g.weight(`${name}.bias`, element, [N], 0.1)], `${name}.biased`) : y
  }

  /** Equal parts, multiples of 32, that keep `total` x `other` weights within one binding each. @param {number} total @param {number} other */
  parts(total, other) {
    const bytes = total * other * (this.isQ4 ? 0.5 : this.element === 'f32' ? 4 : 2)
    let count = Math.ceil(bytes / this.maxBindingBytes)
    while (total % (count * 32)) count++
    return count
  }

  /** Rows of a table by id, the table split by columns. @param {string} ids @param {number} V @param {number} C */
  embedding(ids, V, C) {
    const { graph: g, element } = this
    const count = this.parts(C, V)
    const rows = Array.from({ length: count }, (_, i) => {
      const name = `embedding.${i}`
      const table = g.weight(`${name}.weight`, element, [V, C / count], 1)
      return g.op('Gather', [table, ids], `${name}.rows`, { axis: 0 })
    })
    return count === 1 ? (rows[0] ?? '') : g.op('Concat', rows, 'embedding', { axis: -1 })
  }

  /** The output matrix, split by rows. @param {string} x @param {number} C @param {number} V */
  head(x, C, V) {
    const count = this.parts(V, C)
    const parts = Array.from({ length: count }, (_, i) => this.linear(x, `head.${i}`, C, V / count))
    return count === 1 ? (parts[0] ?? '') : this.graph.op('Concat', parts, 'head', { axis: -1 })
  }
}

/** @param {Layers} make @param {import('../presets.mjs').MatmulPreset} preset */
function matmulGraph(make, { M, K, N }) {
  const { graph: g, element } = make
  g.input('x', element, [1, M, K])
  g.op('Identity', [make.linear('x', 'product', K, N)], 'y')
  g.output('y', element, [1, M, N])
}

/** @param {Layers} make @param {import('../presets.mjs').AttentionPreset} preset */
function attentionGraph(make, { T, past, heads, kvHeads, headDim }) {
  const { graph: g, element } = make
  g.input('q', element, [1, T, heads * headDim])
  for (const name of ['k', 'v']) g.input(name, element, [1, T, kvHeads * headDim])
  for (const name of ['past_key', 'past_value']) g.input(name, element, [1, kvHeads, 'past', headDim])
  g.input('last', 'i32', [1])
  g.input('total', 'i32', [])
  groupQueryAttention(g, ['q', 'k', 'v', 'past_key', 'past_value', 'last', 'total'], ['y', 'key', 'value'], {
    heads,
    kvHeads,
    headDim,
    rotary: 0,
  })
  g.output('y', element, [1, T, heads * headDim])
  for (const name of ['key', 'value']) g.output(name, element, [1, kvHeads, past + T, headDim])
}

/**
 * @param {Graph} g @param {string[]} inputs @param {string[]} outputs
 * @param {{ heads: number, kvHeads: number, headDim: number, rotary: number }} sizes
 */
function groupQueryAttention(g, inputs, outputs, { heads, kvHeads, headDim, rotary }) {
  const attributes = {
    num_heads: heads,
    kv_num_heads: kvHeads,
    scale_f: 1 / Math.sqrt(headDim),
    do_rotary: rotary,
    rotary_interleaved: 0,
  }
  return g.op('GroupQueryAttention', inputs, outputs, attributes, CONTRIB)
}

/** @param {Layers} make @param {import('../presets.mjs').DecoderSizes} sizes */
function decoderGraph(make, sizes) {
  const { graph: g, element } = make
  const {
    layers,
    hidden: C,
    heads,
    kvHeads,
    headDim: D,
    mlp: F,
    vocab: V,
    theta,
    rmsNormEps: epsilon,
  } = sizes
  const ids = g.input('input_ids', 'i64', [1, 'tokens'])
  g.input('last', 'i32', [1])
  g.input('total', 'i32', [])
  const angles = (/** @type {(angle: number) => number} */ f) =>
    Float32Array.from({ length: MAX_POSITIONS * (D / 2) }, (_, i) =>
      f(Math.floor(i / (D / 2)) * theta ** ((-2 * (i % (D / 2))) / D)),
    )
  const cos = g.array('cos', element, [MAX_POSITIONS, D / 2], angles(Math.cos))
  const sin = g.array('sin', element, [MAX_POSITIONS, D / 2], angles(Math.sin))
  const gain = (/** @type {string} */ name) => g.weight(name, element, [C], 0.1, 1)
  const skipNorm = (/** @type {string} */ x, /** @type {string} */ residual, /** @type {string} */ name) => {
    const outputs = [`${name}.y`, '', '', `${name}.sum`]
    const inputs = [residual, x, gain(`${name}.gain`)]
    g.op('SkipSimplifiedLayerNormalization', inputs, outputs, { epsilon_f: epsilon }, CONTRIB)
    return [`${name}.y`, `${name}.sum`]
  }

  let residual = make.embedding(ids, V, C)
  const normAttributes = { axis: -1, epsilon_f: epsilon, stash_type: 1 }
  let x = g.op('SimplifiedLayerNormalization', [residual, gain('norm.0.gain')], 'norm.0.y', normAttributes)
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`
    const qkv = make.linear(x, `${at}.qkv`, C, (heads + 2 * kvHeads) * D, sizes.qkvBias)
    const past = ['key', 'value'].map((part) =>
      g.input(`past.${layer}.${part}`, element, [1, kvHeads, 'past', D]),
    )
    const present = ['key', 'value'].map((part) => `present.${layer}.${part}`)
    const inputs = [qkv, '', '', ...past, 'last', 'total', cos, sin]
    groupQueryAttention(g, inputs, [`${at}.attended`, ...present], { heads, kvHeads, headDim: D, rotary: 1 })
    for (const name of present) g.output(name, element, [1, kvHeads, 'total_length', D])
    x = make.linear(`${at}.attended`, `${at}.o`, heads * D, C)
    ;[x, residual] = /** @type {[string, string]} */ (skipNorm(x, residual, `${at}.norm`))
    const gate = make.linear(x, `${at}.gate`, C, F)
    const up = make.linear(x, `${at}.up`, C, F)
    const silu = g.op('Mul', [gate, g.op('Sigmoid', [gate], `${at}.sigmoid`)], `${at}.silu`)
    x = make.linear(g.op('Mul', [silu, up], `${at}.gated`), `${at}.down`, F, C)
    ;[x, residual] = /** @type {[string, string]} */ (skipNorm(x, residual, `norm.${layer + 1}`))
  }
  const bounds = [g.constant('starts', [-1]), g.constant('ends', [2 ** 31 - 1]), g.constant('axes', [1])]
  x = g.op('Slice', [x, ...bounds], 'last_row')
  g.op('Identity', [make.head(x, C, V)], 'logits')
  g.output('logits', element, [1, 1, V])
}

/** @param {Layers} make @param {import('../presets.mjs').VisionSizes} sizes */
function visionGraph(make, sizes) {
  const { graph: g, element } = make
  const { layers, hidden: C, heads, mlp: F, image, patch } = sizes
  const rows = Math.floor(image / patch) ** 2
  const pixels = g.input('pixels', element, [1, 3, image, image])
  const kernel = g.weight('patch.weight', element, [C, 3, patch, patch], 1 / Math.sqrt(3 * patch ** 2))
  const shape = { kernel_shape: [patch, patch], strides: [patch, patch] }
  let x = g.op('Conv', [pixels, kernel, g.weight('patch.bias', element, [C], 0.1)], 'patch.grid', shape)
  x = g.op('Reshape', [x, g.constant('patch.shape', [1, C, rows])], 'patch.columns')
  x = g.op('Transpose', [x], 'patch.rows', { perm: [0, 2, 1] })
  let residual = g.op('Add', [x, g.weight('positions', element, [1, rows, C], 0.5)], 'embedded')
  const norm = (/** @type {string} */ name) => [
    g.weight(`${name}.weight`, element, [C], 0.1, 1),
    g.weight(`${name}.bias`, element, [C], 0.1),
  ]
  const skipNorm = (/** @type {string} */ x, /** @type {string} */ name) => {
    const outputs = [`${name}.y`, '', '', `${name}.sum`]
    g.op('SkipLayerNormalization', [residual, x, ...norm(name)], outputs, { epsilon_f: 1e-6 }, CONTRIB)
    residual = `${name}.sum`
    return `${name}.y`
  }
  x = g.op('LayerNormalization', [residual, ...norm('norm.0')], 'norm.0.y', { axis: -1, epsilon_f: 1e-6 })
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`
    const qkv = ['q', 'k', 'v'].map((part) => make.linear(x, `${at}.${part}`, C, C, true))
    x = g.op('MultiHeadAttention', qkv, `${at}.attended`, { num_heads: heads }, CONTRIB)
    x = skipNorm(make.linear(x, `${at}.out`, C, C, true), `${at}.norm`)
    const hidden = g.op('FastGelu', [make.linear(x, `${at}.fc1`, C, F, true)], `${at}.gelu`, {}, CONTRIB)
    x = make.linear(hidden, `${at}.fc2`, F, C, true)
    if (layer + 1 < layers) x = skipNorm(x, `norm.${layer + 1}`)
  }
  g.op('Add', [residual, x], 'features')
  g.output('features', element, [1, rows, C])
  // A few rows for the CPU: to look at them, and to know when the GPU is done.
  const bounds = [g.constant('starts', [0]), g.constant('ends', [8]), g.constant('axes', [1])]
  g.op('Slice', ['features', ...bounds], 'probe')
  g.output('probe', element, [1, 8, C])
}
