import { Decoder, decoderSpecs, type DecoderConfig } from '../layers/decoder'
import { parseDecoder } from '../layers/decoder-config'
import { defineLanguageModel } from './definition'

/** Mistral 7B: Llama's decoder whose queries see a window of keys. Source: transformers MistralConfig and MistralForCausalLM. */
export const mistral = defineLanguageModel<DecoderConfig>({
  modelType: 'mistral',
  defaults: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    hidden_act: 'silu',
    max_position_embeddings: 131072,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    sliding_window: 4096,
    tie_word_embeddings: false,
  },

  // Null from Mistral 7B v0.2 on.
  parseConfig: (json) => ({ ...parseDecoder(json), slidingWindow: json.sizeOrNull('sliding_window') }),

  params: decoderSpecs,
  create: (config, weights) => new Decoder(config, weights),
})
