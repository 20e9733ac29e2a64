import { Encoder, sampleToken, splice, takeRows, TokenReader, type Tensor } from '../kernels'
import type { Conversation } from './conversation'
import { AbortError } from './errors'
import type { Prompt } from './prompt'
import type { Sampling } from './sampler'
import type { TextStream } from './text-stream'
import type { Vlm } from './vlm'

/** Rows of the prompt that go through the language model at a time; bounds its activations. */
export const PREFILL_ROWS = 512
/** Tokens whose ids are still on their way while the next step is recorded already. */
const TOKENS_IN_FLIGHT = 2

export interface GenerateOptions {
  readonly sampling: Sampling
  readonly maxNewTokens: number
  readonly eosTokenIds: ReadonlySet<number>
  readonly signal: AbortSignal
  readonly text: TextStream
  readonly onPrefill?: (reusedTokens: number) => void
  readonly onToken?: (text: string, tokenId: number, index: number) => void
}

export interface Generated {
  readonly tokenIds: number[]
  readonly finish: 'stop' | 'length' | 'context' | 'aborted'
  readonly reusedTokens: number
  /** Clock when the first id was known, in milliseconds of performance.now. */
  readonly firstTokenAt: number | undefined
}

/**
 * Answers a prompt token by token.
 *
 * The GPU chooses each id and the next step reads it there; the host learns of it two steps later, to stream it and to
 * know the end. Steps begun past the end are dropped.
 *
 * Throws: ContextOverflowError, DeviceLostError, OutOfMemoryError. An abort is no error: the reply so far is returned.
 */
export async function generate(
  vlm: Vlm,
  conversation: Conversation,
  prompt: Prompt,
  options: GenerateOptions,
): Promise<Generated> {
  const { sampling, maxNewTokens, eosTokenIds, signal, text } = options
  const { gpu, arena, language } = vlm
  const promptLength = prompt.ids.length
  const reusedTokens = conversation.reuse(prompt)
  conversation.forgetFrom(reusedTokens)
  const tokenIds: number[] = []
  let firstTokenAt: number | undefined
  let cached = reusedTokens

  const most = Math.min(maxNewTokens, conversation.capacity - promptLength)
  let finish: Generated['finish'] = most < maxNewTokens ? 'context' : 'length'
  options.onPrefill?.(reusedTokens)

  const reader = gpu.allOrNone(() => new TokenReader(gpu, TOKENS_IN_FLIGHT + 1))
  const enc = new Encoder(gpu, arena, 'generate')
  const sampleInto = (index: number, logits: Tensor) => {
    const step = index - promptLength
    const status = sampleToken(enc, logits, conversation.tokens, { ...sampling, length: index, step })
    reader.request(enc, conversation.tokens, index, status)
    enc.end()
  }
  try {
    const hidden = await prefill(vlm, conversation, prompt, reusedTokens, enc, signal)
    cached = promptLength
    if (most > 0) sampleInto(promptLength, language.logits(enc, hidden))
    let requested = 1
    while (tokenIds.length < most) {
      while (requested < most && reader.inFlight < TOKENS_IN_FLIGHT) {
        gpu.profiler?.enter('decode')
        const position = promptLength + requested - 1
        const x = language.embed(enc, conversation.tokens, { start: position, count: 1 })
        const row = vlm.forward(enc, x, conversation.caches, position, prompt.images)
        sampleInto(position + 1, language.logits(enc, row))
        cached = position + 1
        requested++
      }
      const id = await reader.next()
      firstTokenAt ??= performance.now()
      tokenIds.push(id)
      const ended = eosTokenIds.has(id)
      const fresh = ended ? '' : text.push(id)
      options.onToken?.(fresh, id, tokenIds.length - 1)
      if (ended || text.stoppedBy !== undefined) {
        finish = 'stop'
        break
      }
      if (signal.aborted) throw new AbortError('ask: stopped by the reader.')
    }
    await reader.discard()
    await gpu.check()
  } catch (error) {
    if (!(error instanceof AbortError)) {
      // What was to be written behind the prefix may not be there.
      cached = gpu.lostError ? 0 : reusedTokens
      throw error
    }
    finish = 'aborted'
    await reader.discard()
  } finally {
    enc.end()
    reader.destroy()
    const known = [...prompt.keys, ...tokenIds]
    conversation.remember(known.slice(0, cached))
  }
  return { tokenIds, finish, reusedTokens, firstTokenAt }
}

/**
 * Runs the uncached part of a prompt through the model.
 *
 * Shapes: -> [1, C], the hidden state of the last position; a temporary of `enc`.
 * Throws: AbortError between chunks.
 */
async function prefill(
  vlm: Vlm,
  conversation: Conversation,
  prompt: Prompt,
  from: number,
  enc: Encoder,
  signal: AbortSignal,
): Promise<Tensor> {
  vlm.gpu.profiler?.enter('prompt')
  enc.upload(conversation.tokens, prompt.ids)
  for (let start = from; ; start += PREFILL_ROWS) {
    if (signal.aborted) throw new AbortError('ask: stopped by the reader.')
    const count = Math.min(PREFILL_ROWS, prompt.ids.length - start)
    const hidden = enc.scope(() => {
      const x = embedPrompt(vlm, conversation.tokens, prompt, { start, count }, enc)
      return vlm.forward(enc, x, conversation.caches, start, prompt.images, {
        sequenceLength: prompt.ids.length,
      })
    })
    if (start + count === prompt.ids.length) {
      return takeRows(enc, hidden, { batch: 1, start: count - 1, count: 1 })
    }
    enc.release(hidden)
    enc.submit()
    // One chunk at a time on the queue: an abort takes effect soon, and a watchdog sees short submits.
    await vlm.gpu.finish()
  }
}

/**
 * Text embeddings of some positions with the rows of pictures put where their placeholders stand.
 *
 * Shapes: tokens u32 [capacity] -> [count, C].
 */
export function embedPrompt(
  vlm: Vlm,
  tokens: Tensor,
  prompt: Prompt,
  range: { start: number; count: number },
  enc: Encoder,
): Tensor {
  const { start, count } = range
  // Positions go up before anything is recorded: an upload takes effect ahead of the whole submit.
  const inside = prompt.images.filter(
    (image) => image.start < start + count && image.start + image.rows > start,
  )
  const positions = inside.map(({ start: at, rows }) =>
    // Rows outside this range get a position past its end, which splice leaves alone.
    enc.constant(
      Uint32Array.from({ length: rows }, (_, row) => (at + row >= start ? at + row - start : 0xffffffff)),
    ),
  )
  const x = vlm.language.embed(enc, tokens, range)
  for (const [i, image] of inside.entries()) splice(enc, x, image.features, positions[i]!)
  return x
}

/**
 * Everything a golden case records about a prompt, computed without the cache.
 *
 * Shapes: -> inputsEmbeds [T, C], logits [T, V] on the host.
 */
export async function forwardAll(
  vlm: Vlm,
  conversation: Conversation,
  prompt: Prompt,
): Promise<{ inputsEmbeds: Float32Array; logits: Float32Array }> {
  const { gpu, arena, language, blueprint } = vlm
  const { hiddenSize, vocabSize } = blueprint.language.config
  const length = prompt.ids.length
  conversation.reuse(prompt)
  conversation.forgetFrom(0)
  const inputsEmbeds = new Float32Array(length * hiddenSize)
  const logits = new Float32Array(length * vocabSize)
  const enc = new Encoder(gpu, arena, 'forward all')
  // A binding may not hold [T, V] of a long prompt, so it goes in pieces.
  const rows = Math.max(1, Math.min(PREFILL_ROWS, Math.floor(gpu.caps.maxBindingBytes / (vocabSize * 4))))
  enc.upload(conversation.tokens, prompt.ids)
  try {
    for (let start = 0; start < length; start += rows) {
      const count = Math.min(rows, length - start)
      const x = embedPrompt(vlm, conversation.tokens, prompt, { start, count }, enc)
      inputsEmbeds.set(await enc.read(x), start * hiddenSize)
      const hidden = vlm.forward(enc, x, conversation.caches, start, prompt.images, {
        sequenceLength: length,
      })
      logits.set(await enc.read(language.logits(enc, hidden)), start * vocabSize)
      enc.end()
    }
  } finally {
    enc.end()
  }
  return { inputsEmbeds, logits }
}
