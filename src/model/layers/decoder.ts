import {
  embedding,
  matmul,
  rmsNorm,
  type Encoder,
  type Gpu,
  type KvCache,
  type RopeConfig,
  type Tensor,
  type Weight,
} from '../../kernels'
import type { LanguageModel, LanguageModelConfig, LayerHooks } from '../language/definition'
import { table, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import { DecoderBlock, decoderBlockSpecs, type DecoderBlockConfig } from './decoder-block'
import { RopeTable } from './rope-config'

/** A decoder of Llama's kind, which Qwen2, Mistral and Yi share but for biases and sizes. */
export interface DecoderConfig extends LanguageModelConfig, DecoderBlockConfig {
  readonly rope: RopeConfig
}

/** All parameters under Hugging Face's names, `model.` and `lm_head.`. */
export function decoderSpecs(config: DecoderConfig): ParameterSpecs {
  const { hiddenSize: C, vocabSize: V } = config
  const blocks = Array.from({ length: config.layers }, (_, i) =>
    under(`model.layers.${i}`, decoderBlockSpecs(config)),
  )
  return Object.assign(
    { 'model.embed_tokens.weight': table(V, C) },
    ...blocks,
    { 'model.norm.weight': vector(C) },
    { 'lm_head.weight': table(V, C) },
  ) as ParameterSpecs
}

/** Embedding, pre-norm blocks, final RMS norm, output matrix. Source: transformers LlamaForCausalLM. */
export class Decoder implements LanguageModel {
  private readonly embedTokens: Weight
  private readonly lmHead: Weight
  private readonly norm: Tensor
  private readonly blocks: DecoderBlock[]
  private readonly ropeTable: RopeTable

  constructor(
    private readonly config: DecoderConfig,
    weights: Weights,
  ) {
    this.embedTokens = weights.matrix('model.embed_tokens.weight')
    this.lmHead = weights.matrix('lm_head.weight')
    this.ropeTable = new RopeTable(config.rope)
    this.norm = weights.vector('model.norm.weight')
    this.blocks = Array.from(
      { length: config.layers },
      (_, i) => new DecoderBlock(config, weights.at(`model.layers.${i}`)),
    )
  }

  embed(enc: Encoder, tokens: Tensor, range: { start: number; count: number }): Tensor {
    return embedding(enc, tokens, this.embedTokens, range)
  }

  forward(
    enc: Encoder,
    x: Tensor,
    caches: readonly KvCache[],
    position: number,
    hooks: LayerHooks = {},
  ): Tensor {
    const { rope, rmsNormEps } = this.config
    const { frequencies, scale } = this.ropeTable.at(enc, position + x.shape[0]!)
    const step = { position, frequencies, rotaryDim: rope.rotaryDim, ropeScale: scale }
    let hidden = x
    for (const [i, block] of this.blocks.entries()) {
      const cache = caches[i]!
      const next = block.forward(enc, hidden, cache, step, (q) => hooks.attention?.(i, q, cache))
      hooks.afterLayer?.(i, next)
      if (hidden !== x) enc.release(hidden)
      hidden = next
    }
    return rmsNorm(enc, hidden, this.norm, rmsNormEps)
  }

  logits(enc: Encoder, hidden: Tensor): Tensor {
    return matmul(enc, hidden, this.lmHead, {})
  }

  destroy(gpu: Gpu): void {
    this.ropeTable.destroy(gpu)
  }
}
