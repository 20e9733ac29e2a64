import { patchesOf, rowsOf } from '../work.mjs'
import { groupQueryAttention } from './layers.mjs'
import { CONTRIB } from './onnx.mjs'

/** @typedef {import('./layers.mjs').Layers} Layers */

const MAX_POSITIONS = 8192

/** @param {Layers} make @param {import('../presets.mjs').DecoderSizes} sizes */
export function decoderGraph(make, sizes) {
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
export function visionGraph(make, sizes) {
  const { graph: g, element } = make
  const { layers, hidden: C, heads, mlp: F, image, patch } = sizes
  const isClip = sizes.model === 'clip'
  const rows = rowsOf(sizes)
  const epsilon_f = isClip ? 1e-5 : 1e-6
  const pixels = g.input('pixels', element, [1, 3, image, image])
  const kernel = g.weight('patch.weight', element, [C, 3, patch, patch], 1 / Math.sqrt(3 * patch ** 2))
  const shape = { kernel_shape: [patch, patch], strides: [patch, patch] }
  const bias = isClip ? [] : [g.weight('patch.bias', element, [C], 0.1)]
  let x = g.op('Conv', [pixels, kernel, ...bias], 'patch.grid', shape)
  x = g.op('Reshape', [x, g.constant('patch.shape', [1, C, patchesOf(sizes)])], 'patch.columns')
  x = g.op('Transpose', [x], 'patch.rows', { perm: [0, 2, 1] })
  if (isClip) x = g.op('Concat', [g.weight('class', element, [1, 1, C], 1), x], 'with_class', { axis: 1 })
  let residual = g.op('Add', [x, g.weight('positions', element, [1, rows, C], 0.5)], 'embedded')
  const norm = (/** @type {string} */ name) => [
    g.weight(`${name}.weight`, element, [C], 0.1, 1),
    g.weight(`${name}.bias`, element, [C], 0.1),
  ]
  const skipNorm = (/** @type {string} */ x, /** @type {string} */ name) => {
    const outputs = [`${name}.y`, '', '', `${name}.sum`]
    g.op('SkipLayerNormalization', [residual, x, ...norm(name)], outputs, { epsilon_f }, CONTRIB)
    residual = `${name}.sum`
    return `${name}.y`
  }
  const layerNorm = (/** @type {string} */ name) =>
    g.op('LayerNormalization', [residual, ...norm(name)], `${name}.y`, { axis: -1, epsilon_f })
  if (isClip) residual = layerNorm('pre_norm')
  x = layerNorm('norm.0')
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`
    const qkv = ['q', 'k', 'v'].map((part) => make.linear(x, `${at}.${part}`, C, C, true))
    x = g.op('MultiHeadAttention', qkv, `${at}.attended`, { num_heads: heads }, CONTRIB)
    x = skipNorm(make.linear(x, `${at}.out`, C, C, true), `${at}.norm`)
    const up = make.linear(x, `${at}.fc1`, C, F, true)
    const hidden = isClip
      ? g.op('QuickGelu', [up], `${at}.gelu`, { alpha_f: 1.702 }, CONTRIB)
      : g.op('FastGelu', [up], `${at}.gelu`, {}, CONTRIB)
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
