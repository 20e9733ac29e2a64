// Writes ONNX models with random weights, which stream into a file beside the graph.
// Source: onnx/onnx.proto (field numbers); onnxruntime docs/ContribOperators.md (com.microsoft).

import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { halfBits } from './half.mjs'
import { Message } from './protobuf.mjs'

export const CONTRIB = 'com.microsoft'
export const ELEMENT = { f32: 1, u8: 2, i32: 6, i64: 7, f16: 10 }

/** @typedef {keyof typeof ELEMENT} Element */

const BYTES = { f32: 4, u8: 1, i32: 4, i64: 8, f16: 2 }
/** Offsets that ONNX Runtime can map into memory. */
const ALIGNMENT = 4096
/** A prime, so that rows of no width repeat with its period. */
const POOL = 1_048_573

export class Graph {
  /** @type {Message[]} */
  #nodes = []
  /** @type {Message[]} */
  #initializers = []
  /** @type {Message[]} */
  #inputs = []
  /** @type {Message[]} */
  #outputs = []
  #offset = 0
  #state = 1
  /** @type {Map<string, Uint8Array>} */
  #pools = new Map()

  /** @param {string} path  of the .onnx file; the weights go to PATH.data */
  constructor(path) {
    this.path = path
    this.file = openSync(`${path}.data`, 'w')
  }

  /**
   * Adds a node; returns its output's name, the first where it has several ('' marks one that is not wanted).
   *
   * @param {string} kind
   * @param {string[]} inputs
   * @param {string | string[]} outputs
   * @param {Record<string, number | number[]>} [attributes]  names ending in `_f` are floats under the name without it
   * @param {string} [domain]
   */
  op(kind, inputs, outputs, attributes = {}, domain = '') {
    const names = Array.isArray(outputs) ? outputs : [outputs]
    const node = new Message()
      .bytes(1, inputs)
      .bytes(2, names)
      .bytes(3, `${names.find(Boolean)}.node`)
      .bytes(4, kind)
    for (const [key, value] of Object.entries(attributes)) {
      const isFloat = key.endsWith('_f')
      const attribute = new Message().bytes(1, isFloat ? key.slice(0, -2) : key)
      if (Array.isArray(value)) attribute.int(8, value).int(20, 7)
      else if (isFloat) attribute.float(2, value).int(20, 1)
      else attribute.int(3, value).int(20, 2)
      node.bytes(5, attribute)
    }
    if (domain) node.bytes(7, domain)
    this.#nodes.push(node)
    return names[0] ?? ''
  }

  /** @param {string} name @param {Element} element @param {(number | string)[]} shape */
  input(name, element, shape) {
    this.#inputs.push(valueInfo(name, element, shape))
    return name
  }

  /** @param {string} name @param {Element} element @param {(number | string)[]} shape */
  output(name, element, shape) {
    this.#outputs.push(valueInfo(name, element, shape))
  }

  /** A small integer constant inside the graph. @param {string} name @param {number[]} values @param {number[]} [shape] */
  constant(name, values, shape = [values.length]) {
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    this.#initializers.push(new Message().int(1, shape).int(2, ELEMENT.i64).bytes(8, name).bytes(9, raw))
    return name
  }

  /** Values given one by one. @param {string} name @param {'f32' | 'f16'} element @param {number[]} shape @param {Float32Array} values */
  array(name, element, shape, values) {
    const data = element === 'f32' ? values : Uint16Array.from(values, halfBits)
    return this.#place(name, element, shape, [new Uint8Array(data.buffer)])
  }

  /** Random values, normal around `mean`. @param {string} name @param {'f32' | 'f16'} element @param {number[]} shape @param {number} deviation */
  weight(name, element, shape, deviation, mean = 0) {
    return this.#place(
      name,
      element,
      shape,
      this.#random(element, count(shape), `${deviation}+${mean}`, () => mean + deviation * this.#normal()),
    )
  }

  /**
   * Random 4-bit weights [rows, columns] in blocks of 32 with the zero point 8: NAME.q4 and NAME.scales.
   *
   * @param {string} name @param {'f32' | 'f16'} element @param {number} rows @param {number} columns @param {number} deviation
   */
  quantised(name, element, rows, columns, deviation) {
    const blocks = columns / 32
    // Nibbles of 1 to 15 have the mean 8 and the deviation 4.32.
    const nibble = () => 1 + Math.floor(this.#uniform() * 15)
    const bytes = this.#random('u8', (rows * columns) / 2, 'nibbles', () => nibble() | (nibble() << 4))
    const data = this.#place(`${name}.q4`, 'u8', [rows, blocks, 16], bytes)
    const scale = deviation / Math.sqrt((15 ** 2 - 1) / 12)
    const scales = this.#random(
      element,
      rows * blocks,
      `scales ${scale}`,
      () => scale * (0.8 + 0.4 * this.#uniform()),
    )
    return [data, this.#place(`${name}.scales`, element, [rows, blocks], scales)]
  }

  /** Writes the graph. */
  save() {
    closeSync(this.file)
    const graph = new Message()
      .bytes(1, this.#nodes)
      .bytes(2, basename(this.path))
      .bytes(5, this.#initializers)
      .bytes(11, this.#inputs)
      .bytes(12, this.#outputs)
    const opset = (/** @type {string} */ domain, /** @type {number} */ version) =>
      new Message().bytes(1, domain).int(2, version)
    const model = new Message()
      .int(1, 8)
      .bytes(7, graph)
      .bytes(8, [opset('', 17), opset(CONTRIB, 1)])
    writeFileSync(`${this.path}.part`, model.encode())
    renameSync(`${this.path}.part`, this.path)
  }

  /** @param {string} name @param {Element} element @param {number[]} shape @param {Iterable<Uint8Array>} pieces */
  #place(name, element, shape, pieces) {
    const padding = (ALIGNMENT - (this.#offset % ALIGNMENT)) % ALIGNMENT
    const offset = this.#offset + padding
    writeSync(this.file, new Uint8Array(padding))
    let length = 0
    for (const piece of pieces)
      for (let at = 0; at < piece.length;) {
        const written = writeSync(this.file, piece, at)
        at += written
        length += written
      }
    this.#offset = offset + length
    const external = { location: `${basename(this.path)}.data`, offset, length }
    const entries = Object.entries(external).map(([key, value]) =>
      new Message().bytes(1, key).bytes(2, String(value)),
    )
    this.#initializers.push(
      new Message().int(1, shape).int(2, ELEMENT[element]).bytes(8, name).bytes(13, entries).int(14, 1),
    )
    return name
  }

  /**
   * Pieces of a pool of random elements, from anywhere in it.
   * @param {Element} element @param {number} total @param {string} kind @param {() => number} draw
   */
  *#random(element, total, kind, draw) {
    const bytes = BYTES[element]
    let pool = this.#pools.get(`${element} ${kind}`)
    if (!pool) {
      const values = Float32Array.from({ length: POOL }, draw)
      const typed =
        element === 'f32'
          ? values
          : element === 'f16'
            ? Uint16Array.from(values, halfBits)
            : Uint8Array.from(values)
      this.#pools.set(`${element} ${kind}`, (pool = new Uint8Array(typed.buffer)))
    }
    for (let left = total; left > 0;) {
      const from = Math.floor(this.#uniform() * (POOL / 2))
      const length = Math.min(left, Math.floor(POOL / 2))
      yield pool.subarray(from * bytes, (from + length) * bytes)
      left -= length
    }
  }

  /** mulberry32. */
  #uniform() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  #normal() {
    return Math.sqrt(-2 * Math.log(1 - this.#uniform())) * Math.cos(2 * Math.PI * this.#uniform())
  }
}

const count = (/** @type {number[]} */ shape) => shape.reduce((product, dim) => product * dim, 1)

/** @param {string} name @param {Element} element @param {(number | string)[]} shape */
function valueInfo(name, element, shape) {
  const dims = shape.map((dim) =>
    typeof dim === 'number' ? new Message().int(1, dim) : new Message().bytes(2, dim),
  )
  const tensor = new Message().int(1, ELEMENT[element]).bytes(2, new Message().bytes(1, dims))
  return new Message().bytes(1, name).bytes(2, new Message().bytes(1, tensor))
}
