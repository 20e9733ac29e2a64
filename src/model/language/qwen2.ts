import { Decoder, decoderSpecs, type DecoderConfig } from '../layers/decoder'
import { parseDecoder } from '../layers/decoder-config'
import { defineLanguageModel } from './definition'

/** Qwen 1.5 to 2.5: Llama's decoder with biases on q, k and v. Source: transformers Qwen2Config and Qwen2ForCausalLM. */
export const qwen2 = defineLanguageModel<DecoderConfig>({
  modelType: 'qwen2',
  defaults: {
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    hidden_act: 'silu',
    max_position_embeddings: 32768,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    tie_word_embeddings: false,
    use_sliding_window: false,
    max_window_layers: 28,
  },

  parseConfig(json) {
    const decoder = parseDecoder(json)
    if (json.bool('use_sliding_window') && json.int('max_window_layers') < decoder.layers) {
      json.fail('use_sliding_window', 'false (windows on some layers only are not supported)', true)
    }
    return { ...decoder, qkvBias: true }
  },

  params: decoderSpecs,
  create: (config, weights) => new Decoder(config, weights),
})
