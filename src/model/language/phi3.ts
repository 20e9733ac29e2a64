import type { RopeConfig } from '../../kernels'
import type { ConfigReader } from '../config-reader'
import { Decoder, decoderSpecs, type DecoderConfig } from '../layers/decoder'
import { parseDecoder } from '../layers/decoder-config'
import { defineLanguageModel } from './definition'

/** Phi-3 and Phi-3.5 mini and medium: Llama's decoder with fused matrices. Source: transformers Phi3Config and Phi3ForCausalLM. */
export const phi3 = defineLanguageModel<DecoderConfig>({
  modelType: 'phi3',
  defaults: {
    vocab_size: 32064,
    hidden_size: 3072,
    intermediate_size: 8192,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    hidden_act: 'silu',
    max_position_embeddings: 4096,
    original_max_position_embeddings: 4096,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    partial_rotary_factor: 1,
    tie_word_embeddings: false,
  },

  parseConfig(json) {
    const decoder = parseDecoder(json)
    return {
      ...decoder,
      rope: asLongrope(json, decoder.rope),
      slidingWindow: json.sizeOrNull('sliding_window'),
      fusedProjections: true,
    }
  },

  params: decoderSpecs,
  create: (config, weights) => new Decoder(config, weights),
})

/** Phi-3 knows longrope alone; its first files call it `su` or `yarn`. */
function asLongrope(json: ConfigReader, rope: RopeConfig): RopeConfig {
  const { scaling } = rope
  if (!scaling) return rope
  const type = scaling.rope_type ?? scaling.type ?? 'default'
  if (!['longrope', 'su', 'yarn'].includes(type)) {
    json.fail(json.has('rope_parameters') ? 'rope_parameters' : 'rope_scaling', 'of type longrope', { type })
  }
  return { ...rope, scaling: { ...scaling, rope_type: 'longrope' } }
}
