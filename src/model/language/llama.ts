import { Decoder, decoderSpecs, type DecoderConfig } from '../layers/decoder'
import { parseDecoder } from '../layers/decoder-config'
import { defineLanguageModel } from './definition'

/** Llama 1 to 3, Vicuna, Yi. Source: transformers LlamaConfig and LlamaForCausalLM. */
export const llama = defineLanguageModel<DecoderConfig>({
  modelType: 'llama',
  defaults: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    hidden_act: 'silu',
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: false,
  },

  parseConfig(json) {
    const bias = json.bool('attention_bias')
    return { ...parseDecoder(json), qkvBias: bias, outputBias: bias, mlpBias: json.bool('mlp_bias') }
  },

  params: decoderSpecs,
  create: (config, weights) => new Decoder(config, weights),
})
