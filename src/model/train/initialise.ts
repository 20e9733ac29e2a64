import { elementCount } from '../../kernels'
import type { ParameterSpecs } from '../parameters'
import { randomNormals, randomUniform } from './random'
import type { ConnectorValues } from './trained-connector'

/**
 * A new connector's weights, drawn as the original projects draw them: linear layers from torch's default, norms as the
 * identity, learned rows from normal distributions. Each parameter has a stream of its own.
 *
 * Source: torch.nn.Linear.reset_parameters (uniform up to 1 / sqrt(inputs), bias alike); Cambrian-1's vision_sampler.py
 * (positions N(0, 1)) and cambrian_arch.py (queries and newline N(0, 1 / width)).
 */
export function newConnector(specs: ParameterSpecs, seed: number): ConnectorValues {
  const values = new Map<string, Float32Array<ArrayBuffer>>()
  for (const [name, { kind, shape }] of Object.entries(specs)) {
    const count = elementCount(shape)
    const width = shape[shape.length - 1]!
    const layer = specs[name.replace(/bias$/, 'weight')]
    const isNorm = layer?.kind === 'vector'
    if (kind === 'matrix' || kind === 'table') {
      values.set(name, uniform(name, seed, count, inputsOf(shape)))
    } else if (/(^|\.)(vision_query|image_newline)$/.test(name)) {
      values.set(name, randomNormals(seed, name, count, 1 / Math.sqrt(width)))
    } else if (/(^|\.)pos_embed[^.]*$/.test(name)) {
      values.set(name, randomNormals(seed, name, count))
    } else if (name.endsWith('bias') && layer && !isNorm) {
      values.set(name, uniform(name, seed, count, inputsOf(layer.shape)))
    } else {
      values.set(name, new Float32Array(count).fill(name.endsWith('bias') ? 0 : 1))
    }
  }
  return values
}

const inputsOf = (shape: readonly number[]) => elementCount(shape.slice(1))

const uniform = (name: string, seed: number, count: number, inputs: number) =>
  randomUniform(seed, name, count, -1 / Math.sqrt(inputs), 1 / Math.sqrt(inputs))
