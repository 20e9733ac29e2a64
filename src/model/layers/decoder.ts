import {
  embedding,
  gatherRows,
  rmsNorm,
  rmsNormBackward,
  ropeChange,
  type Encoder,
  type Gpu,
  type KvCache,
  type RopeConfig,
  type Tensor,
  type Weight,
} from '../../kernels'
import type {
  ForwardOptions,
  LanguageModelConfig,
  LayerHooks,
  Segment,
  Tape,
  TrainableLanguageModel,
  TrainingHooks,
} from '../language/definition'
import { table, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import { sequencesOf } from './causal-segments'
import {
  activationBytes,
  DecoderBlock,
  decoderBlockSpecs,
  spread,
  type BlockActivations,
  type DecoderBlockConfig,
} from './decoder-block'
import { InputHistory } from './input-history'
import { Linear } from './linear'
import type { Rotation } from './qkv'
import { RopeTable } from './rope-config'

/** Rows that are computed again at a time; bounds their activations. */
const REPEATED_ROWS = 512

/** A decoder of Llama's kind, which Qwen2, Mistral, Phi-3 and Yi share but for biases, sizes and fused matrices. */
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
export class Decoder implements TrainableLanguageModel {
  private readonly embedTokens: Weight
  readonly lmHead: Weight
  private readonly head: Linear
  private readonly norm: Tensor
  private readonly blocks: DecoderBlock[]
  private readonly ropeTable: RopeTable
  private readonly history: InputHistory | undefined

  constructor(
    private readonly config: DecoderConfig,
    weights: Weights,
  ) {
    this.embedTokens = weights.matrix('model.embed_tokens.weight')
    this.lmHead = weights.matrix('lm_head.weight')
    this.head = new Linear(this.lmHead, undefined)
    this.ropeTable = new RopeTable(config.rope)
    const change = ropeChange(config.rope)
    if (change?.kind === 'switch') this.history = new InputHistory(change.beyond, config.hiddenSize)
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
    options: ForwardOptions = {},
  ): Tensor {
    const sequenceLength = Math.max(options.sequenceLength ?? 0, position + x.shape[0]!)
    const { history } = this
    const first = caches[0]
    if (history && first) {
      const hooked = options.afterLayer !== undefined
      const stale = history.staleRows(first, position, sequenceLength, hooked)
      for (let start = 0; start < stale; start += REPEATED_ROWS) {
        enc.scope(() => {
          const again = history.take(enc, start, Math.min(REPEATED_ROWS, stale - start))
          this.layers(enc, again, caches, start, { sequenceLength, afterLayer: options.afterLayer })
          return undefined
        })
      }
      history.store(enc, first, x, { position, sequenceLength, hooked })
    }
    return this.layers(enc, x, caches, position, { ...options, sequenceLength })
  }

  rotationKey(sequenceLength: number): number {
    return this.ropeTable.keyOf(sequenceLength)
  }

  forwardTraining(
    enc: Encoder,
    x: Tensor,
    segments: readonly Segment[],
    rows: Tensor,
    hooks: TrainingHooks,
    keepBytes = 0,
  ): { hidden: Tensor; tape: Tape } {
    const rotation = this.rotationOf(enc, segments)
    const sequences = sequencesOf(enc, segments, this.config)
    // The last layers: theirs are given back first.
    const first = this.blocks.length - Math.floor(keepBytes / (x.shape[0]! * activationBytes(this.config)))
    const tape: Tape[number][] = []
    let hidden = x
    for (const [i, block] of this.blocks.entries()) {
      const options = { keep: i >= first, rows: this.rowsAfter(i, rows, hooks) }
      const { y, kept } = block.forwardTraining(enc, hidden, sequences, rotation, options)
      tape.push({ input: hidden, ...(kept && { kept }) })
      hidden = y
      if (hooks.isHooked(i)) hooks.afterLayer(i, hidden)
    }
    if (this.rowsAfter(this.blocks.length - 1, rows, hooks)) return { hidden, tape }
    const some = gatherRows(enc, hidden, rows)
    enc.release(hidden)
    return { hidden: some, tape }
  }

  backward(
    enc: Encoder,
    dHidden: Tensor,
    tape: Tape,
    segments: readonly Segment[],
    rows: Tensor,
    hooks: TrainingHooks,
  ): Tensor {
    const rotation = this.rotationOf(enc, segments)
    const sequences = sequencesOf(enc, segments, this.config)
    const last = this.blocks.length - 1
    let d = dHidden
    if (!this.rowsAfter(last, rows, hooks)) d = spread(enc, dHidden, tape[last]!.input.shape, rows)
    for (let i = last; i >= 0; i--) {
      if (hooks.isHooked(i)) hooks.afterLayerBackward(i, d)
      const { input, kept } = tape[i]!
      const dx = this.blocks[i]!.backward(enc, d, input, sequences, rotation, {
        kept: kept as BlockActivations | undefined,
        rows: this.rowsAfter(i, rows, hooks),
      })
      enc.release([d, input, kept])
      d = dx
    }
    return d
  }

  /** Behind the attention of the last layer no row sees another: only those asked for are computed. */
  private rowsAfter(layer: number, rows: Tensor, hooks: TrainingHooks): Tensor | undefined {
    return layer === this.blocks.length - 1 && !hooks.isHooked(layer) ? rows : undefined
  }

  finalNorm(enc: Encoder, hidden: Tensor): Tensor {
    return rmsNorm(enc, hidden, this.norm, this.config.rmsNormEps)
  }

  finalNormBackward(enc: Encoder, dy: Tensor, hidden: Tensor): Tensor {
    return rmsNormBackward(enc, dy, hidden, this.norm, this.config.rmsNormEps)
  }

  /** Each sequence begins at position 0. */
  private rotationOf(enc: Encoder, segments: readonly Segment[]): Rotation {
    const longest = segments.reduce((most, { count }) => Math.max(most, count), 0)
    const { frequencies, scale } = this.ropeTable.at(enc, longest)
    const positions = segments.flatMap(({ count }) => Array.from({ length: count }, (_, row) => row))
    return {
      position: 0,
      frequencies,
      rotaryDim: this.config.rope.rotaryDim,
      ropeScale: scale,
      ...(segments.length > 1 && { positions: enc.constant(Uint32Array.from(positions)) }),
    }
  }

  /** Shapes: x [T, C] -> [T, C], x itself where there are no layers. */
  private layers(
    enc: Encoder,
    x: Tensor,
    caches: readonly KvCache[],
    position: number,
    options: LayerHooks & { readonly sequenceLength: number },
  ): Tensor {
    const { frequencies, scale } = this.ropeTable.at(enc, options.sequenceLength)
    const step = { position, frequencies, rotaryDim: this.config.rope.rotaryDim, ropeScale: scale }
    let hidden = x
    for (const [i, block] of this.blocks.entries()) {
      const cache = caches[i]!
      const next = block.forward(enc, hidden, cache, step, (q, how) => options.attention?.(i, q, cache, how))
      options.afterLayer?.(i, next, position)
      if (hidden !== x) enc.release(hidden)
      hidden = next
    }
    return hidden
  }

  logits(enc: Encoder, hidden: Tensor): Tensor {
    return this.head.forwardNormed(enc, hidden, { gain: this.norm, eps: this.config.rmsNormEps })
  }

  destroy(gpu: Gpu): void {
    this.ropeTable.destroy(gpu)
    this.history?.destroy(gpu)
  }
}
