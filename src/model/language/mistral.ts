import { Decoder, decoderSpecs, type DecoderConfig } from '../layers/decoder'
import { parseRope } from '../layers/rope-config'
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

  parseConfig(json) {
    const hiddenSize = json.size('hidden_size')
    const heads = json.size('num_attention_heads')
    const headDim = json.has('head_dim') ? json.size('head_dim') : hiddenSize / heads
    json.oneOf('hidden_act', { silu: true })
    return {
      hiddenSize,
      heads,
      headDim,
      vocabSize: json.size('vocab_size'),
      intermediateSize: json.size('intermediate_size'),
      layers: json.size('num_hidden_layers'),
      kvHeads: json.sizeOrNull('num_key_value_heads') ?? heads,
      rmsNormEps: json.float('rms_norm_eps'),
      maxPositions: json.size('max_position_embeddings'),
      tiedEmbeddings: json.bool('tie_word_embeddings'),
      rope: parseRope(json, headDim),
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
      // Null from Mistral 7B v0.2 on.
      slidingWindow: json.sizeOrNull('sliding_window'),
      fusedProjections: false,
    }
  },

  params: decoderSpecs,
  create: (config, weights) => new Decoder(config, weights),
})
