// What the graphs of several presets are made of.

import { CONTRIB } from './onnx.mjs'

/** @typedef {import('./onnx.mjs').Graph} Graph */

export class Layers {
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

/**
 * @param {Graph} g @param {string[]} inputs @param {string[]} outputs
 * @param {{ heads: number, kvHeads: number, headDim: number, rotary: number }} sizes
 */
export function groupQueryAttention(g, inputs, outputs, { heads, kvHeads, headDim, rotary }) {
  const attributes = {
    num_heads: heads,
    kv_num_heads: kvHeads,
    scale_f: 1 / Math.sqrt(headDim),
    do_rotary: rotary,
    rotary_interleaved: 0,
  }
  return g.op('GroupQueryAttention', inputs, outputs, attributes, CONTRIB)
}
