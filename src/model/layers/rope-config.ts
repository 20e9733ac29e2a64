import {
  ropeFrequencies,
  uploadTensor,
  type Encoder,
  type Gpu,
  type RopeConfig,
  type Tensor,
} from '../../kernels'
import type { ConfigReader, JsonObject } from '../config-reader'

/**
 * Rotary settings in either spelling: `rope_theta` with `rope_scaling`, or all of it in `rope_parameters`.
 *
 * Source: transformers 5 modeling_rope_utils, which reads the same two.
 */
export function parseRope(json: ConfigReader, headDim: number): RopeConfig {
  const parameters = json.optionalObject('rope_parameters')
  const scaling: JsonObject | undefined = parameters ?? json.optionalObject('rope_scaling')
  const theta =
    typeof parameters?.['rope_theta'] === 'number' ? parameters['rope_theta'] : json.float('rope_theta')
  const type = scaling?.['rope_type'] ?? scaling?.['type'] ?? 'default'
  const partial = parameters?.['partial_rotary_factor'] ?? json.raw('partial_rotary_factor')
  const original = json.raw('original_max_position_embeddings')
  return {
    theta,
    rotaryDim: typeof partial === 'number' ? Math.floor(headDim * partial) : headDim,
    scaling: scaling && type !== 'default' ? scaling : undefined,
    maxPositions: json.size('max_position_embeddings'),
    originalMaxPositions: typeof original === 'number' ? original : undefined,
  }
}

/** The rotary frequencies on the GPU, rewritten only where the scaling depends on the length and the length crosses it. */
export class RopeTable {
  private uploaded: { values: Float32Array; tensor: Tensor } | undefined

  constructor(private readonly config: RopeConfig) {}

  at(enc: Encoder, sequenceLength: number): { frequencies: Tensor; scale: number } {
    const { frequencies, scale } = ropeFrequencies(this.config, sequenceLength)
    const { uploaded } = this
    if (!uploaded) {
      const tensor = uploadTensor(enc.gpu, 'rope frequencies', [frequencies.length], frequencies)
      this.uploaded = { values: frequencies, tensor }
      return { frequencies: tensor, scale }
    }
    if (frequencies.some((value, i) => value !== uploaded.values[i])) {
      enc.submit() // what was recorded still means the old values
      enc.upload(uploaded.tensor, frequencies)
      uploaded.values = frequencies
    }
    return { frequencies: uploaded.tensor, scale }
  }

  destroy(gpu: Gpu): void {
    if (this.uploaded) gpu.destroyBuffer(this.uploaded.tensor.buffer)
    this.uploaded = undefined
  }
}
