import {
  ropeChange,
  ropeFrequencies,
  uploadTensor,
  type Encoder,
  type Gpu,
  type RopeChange,
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
  if (typeof partial === 'number' && !(partial > 0 && partial <= 1)) {
    json.fail('partial_rotary_factor', 'above 0 and at most 1', partial)
  }
  const original = json.raw('original_max_position_embeddings')
  return {
    theta,
    rotaryDim: typeof partial === 'number' ? Math.floor(headDim * partial) : headDim,
    scaling: scaling && type !== 'default' ? scaling : undefined,
    maxPositions: json.size('max_position_embeddings'),
    originalMaxPositions: typeof original === 'number' ? original : undefined,
  }
}

/** The rotary frequencies on the GPU, for every length. */
export class RopeTable {
  private readonly change: RopeChange | undefined
  private within: Tensor | undefined
  private beyond: Tensor | undefined

  constructor(private readonly config: RopeConfig) {
    this.change = ropeChange(config)
  }

  /** Frequencies for a conversation of that many tokens; where they grow with it, a temporary of the step. */
  at(enc: Encoder, sequenceLength: number): { frequencies: Tensor; scale: number } {
    const { frequencies, scale } = ropeFrequencies(this.config, sequenceLength)
    // Of one there was no memory for, nothing is left.
    const kept = (tensor: Tensor | undefined) =>
      tensor && enc.gpu.isAlive(tensor.buffer) ? tensor : undefined
    const upload = () => uploadTensor(enc.gpu, 'rope frequencies', [frequencies.length], frequencies)
    if (!this.change || sequenceLength <= this.change.beyond) {
      return { frequencies: (this.within = kept(this.within) ?? upload()), scale }
    }
    if (this.change.kind === 'growth') return { frequencies: enc.constant(frequencies), scale }
    return { frequencies: (this.beyond = kept(this.beyond) ?? upload()), scale }
  }

  /** Equal for lengths that are rotated by the same frequencies. */
  keyOf(sequenceLength: number): number {
    if (!this.change || sequenceLength <= this.change.beyond) return 0
    return this.change.kind === 'growth' ? sequenceLength : 1
  }

  destroy(gpu: Gpu): void {
    if (this.within) gpu.destroyBuffer(this.within.buffer)
    if (this.beyond) gpu.destroyBuffer(this.beyond.buffer)
    this.within = this.beyond = undefined
  }
}
