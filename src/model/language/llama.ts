import { Decoder, decoderSpecs, type DecoderConfig } from '../layers/decoder'
import { parseRope } from '../layers/rope-config'
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
    const hiddenSize = json.size('hidden_size')
    const heads = json.size('num_attention_heads')
    const headDim = json.has('head_dim') ? json.size('head_dim') : hiddenSize / heads
    json.oneOf('hidden_act', { silu: true })
    const bias = json.bool('attention_bias')
    return {
      hiddenSize,
      heads,
      headDim,
      vocabSize: json.size('vocab_size'),
      intermediateSize: json.size('intermediate_size'),
      layers: json.size('num_hidden_layers'),
      kvHeads: json.has('num_key_value_heads') ? json.size('num_key_value_heads') : heads,
      rmsNormEps: json.float('rms_norm_eps'),
      maxPositions: json.size('max_position_embeddings'),
      tiedEmbeddings: json.bool('tie_word_embeddings'),
      rope: parseRope(json, headDim),
      qkvBias: bias,
      outputBias: bias,
      mlpBias: json.bool('mlp_bias'),
      slidingWindow: undefined,
      fusedProjections: false,
    }
  },

  params: decoderSpecs,
  create: (config, weights) => new Decoder(config, weights),
})
