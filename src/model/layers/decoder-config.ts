import type { ConfigReader } from '../config-reader'
import type { DecoderConfig } from './decoder'
import { parseRope } from './rope-config'

/**
 * What the configs of decoders of Llama's kind have in common, names included: no biases, no window, matrices apart.
 *
 * A missing num_key_value_heads means as many as query heads.
 */
export function parseDecoder(json: ConfigReader): DecoderConfig {
  const hiddenSize = json.size('hidden_size')
  const heads = json.size('num_attention_heads')
  const headDim = json.has('head_dim') ? json.size('head_dim') : hiddenSize / heads
  if (!Number.isInteger(headDim)) {
    json.fail('hidden_size', `a multiple of num_attention_heads, ${heads},`, hiddenSize)
  }
  const kvHeads = json.sizeOrNull('num_key_value_heads') ?? heads
  if (heads % kvHeads !== 0) {
    json.fail('num_attention_heads', `a multiple of num_key_value_heads, ${kvHeads},`, heads)
  }
  json.oneOf('hidden_act', { silu: true })
  return {
    hiddenSize,
    heads,
    headDim,
    vocabSize: json.size('vocab_size'),
    intermediateSize: json.size('intermediate_size'),
    layers: json.count('num_hidden_layers'),
    kvHeads,
    rmsNormEps: json.float('rms_norm_eps'),
    maxPositions: json.size('max_position_embeddings'),
    tiedEmbeddings: json.bool('tie_word_embeddings'),
    rope: parseRope(json, headDim),
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    slidingWindow: undefined,
    fusedProjections: false,
  }
}
