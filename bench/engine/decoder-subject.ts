import {
  appendKv,
  createKvCache,
  createTensor,
  sampleToken,
  takeRows,
  TokenReader,
  type Tensor,
} from '../../src/kernels'
import { generator, seeded } from '../../src/kernels/testing/numbers'
import { PREFILL_ROWS } from '../../src/model/generate'
import { llama } from '../../src/model/language/llama'
import { phi3 } from '../../src/model/language/phi3'
import { qwen2 } from '../../src/model/language/qwen2'
import { DECODED_TOKENS, type DecoderPreset } from '../presets.mjs'
import { decoderOracle } from './decoder-oracle'
import { relativeError, type Bench, type Subject } from './subject'
import { HeldValues, randomWeights } from './weights'

/** Length of the prompt that the oracle computes too: more than the vector form takes, little enough for float64. */
const CHECKED_TOKENS = 40
const MODELS = { qwen2, phi3, llama }

/**
 * A language model as the engine runs it: prompts in chunks, or token by token with greedy choice on the GPU, behind random
 * keys and values.
 */
export async function decoderSubject(bench: Bench, preset: DecoderPreset): Promise<Subject> {
  const { gpu, enc } = bench
  const { sizes, held, phase, tokens: promptTokens } = preset
  const configured = MODELS[sizes.model].configure(
    {
      vocab_size: sizes.vocab,
      hidden_size: sizes.hidden,
      intermediate_size: sizes.mlp,
      num_hidden_layers: sizes.layers,
      num_attention_heads: sizes.heads,
      num_key_value_heads: sizes.kvHeads,
      rms_norm_eps: sizes.rmsNormEps,
      rope_theta: sizes.theta,
      tie_word_embeddings: sizes.tied,
    },
    'bench:',
  )
  const specs = { ...configured.params() }
  if (sizes.tied) delete specs['lm_head.weight']
  const store = await randomWeights(bench, 'language', specs, held)
  if (sizes.tied) store.tie('language.lm_head.weight', 'language.model.embed_tokens.weight')
  const language = configured.create(store.at('language'))

  const capacity = Math.max(promptTokens + DECODED_TOKENS, CHECKED_TOKENS + 1)
  const { kvHeads, headDim } = sizes
  const caches = Array.from({ length: sizes.layers }, (_, i) =>
    createKvCache(gpu, `cache ${i}`, { capacity, kvHeads, headDim, dtype: held === 'f32' ? 'f32' : 'f16' }),
  )
  const tokens = createTensor(gpu, 'tokens', [capacity + 1], 'u32')
  const random = generator(7)
  const ids = Uint32Array.from({ length: capacity }, () => Math.floor(random() * sizes.vocab))
  enc.upload(tokens, ids)

  /** Hidden state of the last of positions start .. start + count. */
  const forward = (start: number, count: number): Tensor =>
    enc.scope(() => {
      const x = language.embed(enc, tokens, { start, count })
      const hidden = language.forward(enc, x, caches, start)
      return count === 1 ? hidden : takeRows(enc, hidden, { batch: 1, start: count - 1, count: 1 })
    })
  const greedy = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 0, step: 0 }
  const reader = new TokenReader(gpu, 3)

  /** Reads a prompt and chooses the token behind it. */
  async function prompt(count: number): Promise<void> {
    for (let start = 0; start < count; start += PREFILL_ROWS) {
      const hidden = forward(start, Math.min(PREFILL_ROWS, count - start))
      if (start + PREFILL_ROWS >= count) choose(hidden, count)
      enc.end()
      await gpu.finish()
    }
    await reader.next()
  }

  function choose(hidden: Tensor, index: number): void {
    const status = sampleToken(enc, language.logits(enc, hidden), tokens, { ...greedy, length: index })
    reader.request(enc, tokens, index, status)
  }

  let position = promptTokens
  /** As the engine does: two steps in flight, the id of each read back. */
  async function decode(steps: number): Promise<void> {
    let requested = 0
    for (let done = 0; done < steps; done++) {
      while (requested < steps && reader.inFlight < 2) {
        if (position === capacity) position = promptTokens
        choose(forward(position, 1), position + 1)
        enc.end()
        position++
        requested++
      }
      await reader.next()
    }
  }
  /** Decoding costs the same behind any keys and values; a long prompt's own would take minutes to compute. */
  function fillCaches(): void {
    enc.scope(() => {
      const shape = [promptTokens, kvHeads * headDim]
      const { k, v } = seeded({ k: shape, v: shape })
      const [keys, values] = [enc.constant(k, shape), enc.constant(v, shape)]
      for (const cache of caches) appendKv(enc, cache, keys, values, 0)
      return undefined
    })
    enc.end()
  }

  return {
    async check() {
      const T = CHECKED_TOKENS
      enc.upload(tokens, ids)
      const chunk = await enc.read(language.logits(enc, forward(0, T)))
      const single = await enc.read(language.logits(enc, forward(T, 1)))
      enc.end()
      const want = await decoderOracle(
        new HeldValues(enc, store, 'language'),
        sizes,
        ids.subarray(0, T + 1),
        2,
      )
      const V = sizes.vocab
      const error = Math.max(
        relativeError(chunk, want.subarray(0, V)),
        relativeError(single, want.subarray(V)),
      )
      fillCaches()
      // The cache rounds keys and values to f16.
      return { error, allowed: 2e-3 }
    },
    async run(units) {
      if (phase === 'decode') return decode(units)
      for (let i = 0; i < units; i++) await prompt(promptTokens)
    },
    dispatches() {
      const before = enc.dispatches
      const steps = phase === 'decode' ? [1] : chunks(promptTokens)
      let start = phase === 'decode' ? promptTokens : 0
      for (const count of steps) {
        forward(start, count)
        start += count
      }
      language.logits(enc, enc.temp([1, sizes.hidden]))
      enc.end()
      return enc.dispatches - before
    },
  }
}

function chunks(count: number): number[] {
  return Array.from({ length: Math.ceil(count / PREFILL_ROWS) }, (_, i) =>
    Math.min(PREFILL_ROWS, count - i * PREFILL_ROWS),
  )
}
