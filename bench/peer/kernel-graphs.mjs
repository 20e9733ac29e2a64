import { groupQueryAttention } from './layers.mjs'

/** @typedef {import('./layers.mjs').Layers} Layers */

/** @param {Layers} make @param {import('../presets.mjs').MatmulPreset} preset */
export function matmulGraph(make, { M, K, N }) {
  const { graph: g, element } = make
  g.input('x', element, [1, M, K])
  g.op('Identity', [make.linear('x', 'product', K, N)], 'y')
  g.output('y', element, [1, M, N])
}

/** @param {Layers} make @param {import('../presets.mjs').AttentionPreset} preset */
export function attentionGraph(make, { T, past, heads, kvHeads, headDim }) {
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
 * As the original computes it: every map cut into the windows of its queries, all windows of a query side by side, and
 * attention over them as a batch of as many as there are queries.
 *
 * @param {Layers} make @param {import('../presets.mjs').SvaPreset} preset
 */
export function svaGraph(make, { side, reduce, heads, headDim: D }) {
  const { graph: g, element } = make
  const N = side * side
  const C = heads * D
  const q = g.input('q', element, [N, C])
  const inHeads = (/** @type {string} */ x, /** @type {string} */ name, /** @type {number[]} */ perm) => {
    const split = g.op('Reshape', [x, g.constant(`${name}.split`, [N, -1, heads, D])], `${name}.rows`)
    return g.op('Transpose', [split], `${name}.heads`, { perm })
  }
  const gather = (/** @type {'k' | 'v'} */ part, /** @type {number[]} */ perm) => {
    const windows = reduce.map((r, tower) => {
      const name = `${part}${tower}`
      const map = g.input(name, element, [(side * r) ** 2, C])
      if (r === 1) return g.op('Reshape', [map, g.constant(`${name}.alone`, [N, 1, C])], `${name}.windows`)
      const grid = g.op('Reshape', [map, g.constant(`${name}.grid`, [side, r, side, r, C])], `${name}.cells`)
      const blocks = g.op('Transpose', [grid], `${name}.blocks`, { perm: [0, 2, 1, 3, 4] })
      return g.op('Reshape', [blocks, g.constant(`${name}.flat`, [N, r * r, C])], `${name}.windows`)
    })
    return inHeads(g.op('Concat', windows, `${part}.windows`, { axis: 1 }), part, perm)
  }
  const queries = inHeads(q, 'q', [0, 2, 1, 3])
  const scale = g.array('scale', element, [1], Float32Array.of(1 / Math.sqrt(D)))
  const products = g.op('MatMul', [queries, gather('k', [0, 2, 3, 1])], 'products')
  const weights = g.op('Softmax', [g.op('Mul', [products, scale], 'scores')], 'weights', { axis: -1 })
  const mixed = g.op('MatMul', [weights, gather('v', [0, 2, 1, 3])], 'mixed')
  const rows = g.op('Transpose', [mixed], 'mixed.rows', { perm: [0, 2, 1, 3] })
  g.op('Reshape', [rows, g.constant('joined', [N, C])], 'y')
  g.output('y', element, [N, C])
}
