// The peer's graphs for every preset, in the operators that ONNX Runtime's own exporters write: MatMulNBits for 4 bits,
// GroupQueryAttention with the rotary embedding inside, SkipSimplifiedLayerNormalization, MultiHeadAttention for towers.

import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from '../../tools/stale.mjs'
import { attentionGraph, matmulGraph, svaGraph } from './kernel-graphs.mjs'
import { Layers } from './layers.mjs'
import { decoderGraph, visionGraph } from './model-graphs.mjs'
import { Graph } from './onnx.mjs'
import { copyName } from './subjects.mjs'

/**
 * @typedef {{ f16: boolean, maxBindingBytes: number }} Device
 * @typedef {import('../presets.mjs').InferencePreset} Preset
 */

/** What graphs are written by. */
const writers = [fileURLToPath(new URL('.', import.meta.url))]

/**
 * Writes what a preset needs into `folder`, unless it is there: presets of the same sizes share a graph.
 *
 * @param {string} folder @param {Preset} preset @param {Device} device
 * @returns {{ name: string, element: 'f32' | 'f16' }} name: of the graph's file, without .onnx
 */
export function ensureGraph(folder, preset, device) {
  mkdirSync(folder, { recursive: true })
  const element = elementOf(heldOf(preset), device)
  const fence = join(folder, 'fence.onnx')
  if (isStale(fence, writers)) writeFence(fence)
  for (const rank of [2, 3, 4]) {
    const path = join(folder, `${copyName(element, rank)}.onnx`)
    if (isStale(path, writers)) writeCopy(path, element, rank)
  }
  const { name: _, ...shape } = preset
  if (preset.kind === 'decoder') Object.assign(shape, { phase: undefined, tokens: undefined })
  const key = JSON.stringify({ shape, element, maxBindingBytes: device.maxBindingBytes })
  const name = `${preset.kind}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`
  const path = join(folder, `${name}.onnx`)
  if (isStale(path, writers)) writeGraph(path, preset, element, device.maxBindingBytes)
  return { name, element }
}

/** @param {string} path @param {Preset} preset @param {'f32' | 'f16'} element @param {number} maxBindingBytes */
function writeGraph(path, preset, element, maxBindingBytes) {
  const g = new Graph(path)
  const make = new Layers(g, element, heldOf(preset) === 'q4', maxBindingBytes)
  if (preset.kind === 'matmul') matmulGraph(make, preset)
  else if (preset.kind === 'attention') attentionGraph(make, preset)
  else if (preset.kind === 'sva') svaGraph(make, preset)
  else if (preset.kind === 'decoder') decoderGraph(make, preset.sizes)
  else visionGraph(make, preset.sizes)
  g.save()
}

/** Keys and values as the engine has them: cached in f16, projected for a connector in f32. @param {Preset} preset */
const heldOf = (preset) => ('held' in preset ? preset.held : preset.kind === 'attention' ? 'f16' : 'f32')

/** Type of the peer's activations. @param {import('../presets.mjs').Held} held @param {Device} device @returns {'f32' | 'f16'} */
const elementOf = (held, device) => (held === 'f32' || !device.f16 ? 'f32' : 'f16')

/** Adds two numbers; reading the sum waits for all work queued before. @param {string} path */
function writeFence(path) {
  const g = new Graph(path)
  g.input('x', 'f32', [1])
  g.op('Add', ['x', 'x'], 'y')
  g.output('y', 'f32', [1])
  g.save()
}

/** Copies a tensor of any sizes, which brings it to the GPU. @param {string} path @param {'f32' | 'f16'} element @param {number} rank */
function writeCopy(path, element, rank) {
  const g = new Graph(path)
  const dims = ['a', 'b', 'c', 'd'].slice(0, rank)
  g.input('x', element, dims)
  g.op('Identity', ['x'], 'y')
  g.output('y', element, dims)
  g.save()
}
