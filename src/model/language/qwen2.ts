import { Decoder, decoderSpecs, type DecoderConfig } from '../layers/decoder'
import { parseRope } from '../layers/rope-config'
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
    const hiddenSize = json.size('hidden_size')
    const heads = json.size('num_attention_heads')
    const headDim = json.has('head_dim') ? json.size('head_dim') : hiddenSize / heads
    const layers = json.size('num_hidden_layers')
    json.oneOf('hidden_act', { silu: true })
    if (json.bool('use_sliding_window') && json.int('max_window_layers') < layers) {
      json.fail('use_sliding_window', 'false (windows on some layers only are not supported)', true)
    }
    return {
      hiddenSize,
      heads,
      headDim,
      layers,
      vocabSize: json.size('vocab_size'),
      intermediateSize: json.size('intermediate_size'),
      kvHeads: json.size('num_key_value_heads'),
      rmsNormEps: json.float('rms_norm_eps'),
      maxPositions: json.size('max_position_embeddings'),
      tiedEmbeddings: json.bool('tie_word_embeddings'),
      rope: parseRope(json, headDim),
      qkvBias: true,
      outputBias: false,
      mlpBias: false,
      slidingWindow: undefined,
      fusedProjections: false,
    }
  },

  params: decoderSpecs,
  create: (config, weights) => new Decoder(config, weights),
})
