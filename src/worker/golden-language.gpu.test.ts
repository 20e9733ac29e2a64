import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DiskSource } from '../cli/disk-source'
import { Encoder, type Tensor } from '../kernels'
import { forwardAll, generate } from '../model/generate'
import type { ForwardOptions } from '../model/language/definition'
import { buildPrompt } from '../model/prompt'
import { GREEDY } from '../model/sampler'
import { TextStream } from '../model/text-stream'
import type { WeightDtype } from './api'
import { sharedEngine } from './testing/engines'
import { GoldenCase } from './testing/golden'

const CASES = ['lm-phi3', 'lm-phi3-longrope', 'lm-mistral'] as const
/** Absolute, as the reference's README suggests for a float32 engine. */
const EMBEDDING_TOLERANCE = { atol: 5e-4, rtol: 0 }
const LOGIT_TOLERANCE = { atol: 2e-3, rtol: 0 }

async function load(golden: GoldenCase, dtype: WeightDtype) {
  const engine = sharedEngine()
  await engine.loadFrom(new DiskSource(golden.checkpoint), { dtype }, () => {})
  return { engine, model: engine.loaded!, golden }
}
type Loaded = Awaited<ReturnType<typeof load>>

const textPrompt = (ids: readonly number[]) => buildPrompt(ids, undefined, [])

/** A greedy reply in the model's one conversation, which keeps what earlier replies left in it. */
async function reply({ model, golden }: Loaded, ids: readonly number[]) {
  const text = new TextStream((tokens) => model.tokenizer.decode(tokens))
  const generated = await generate(model.vlm, model.conversation, textPrompt(ids), {
    sampling: GREEDY,
    maxNewTokens: golden.facts.max_new_tokens,
    eosTokenIds: model.eosTokenIds,
    signal: new AbortController().signal,
    text,
  })
  text.finish()
  return { ...generated, text: text.value }
}

const forwardIds = ({ model }: Loaded, ids: readonly number[]) =>
  forwardAll(model.vlm, model.conversation, textPrompt(ids))

/** Logits of one step over tokens `from` .. `to` of `ids`, with whatever the caches hold before. */
async function step(
  { model }: Loaded,
  ids: readonly number[],
  range: { from: number; to: number },
  options: ForwardOptions = {},
) {
  const { gpu, arena, language } = model.vlm
  const { caches, tokens } = model.conversation
  const enc = new Encoder(gpu, arena, 'step')
  enc.upload(tokens, Uint32Array.from(ids))
  const x = language.embed(enc, tokens, { start: range.from, count: range.to - range.from })
  const hidden = language.forward(enc, x, caches, range.from, options)
  const logits = await enc.read(language.logits(enc, hidden))
  enc.end()
  return logits
}

describe.each(CASES)('%s in f32', (name) => {
  const golden = new GoldenCase(name)
  let loaded: Loaded
  beforeAll(async () => {
    loaded = await load(golden, 'f32')
  })
  afterAll(() => loaded.engine.unload())

  test.each(golden.facts.tokenizer_probes)('tokenises $text', ({ text, input_ids: ids }) => {
    expect(loaded.model.tokenizer.encode(text)).toEqual(ids)
  })

  // The last prompt is longer than what rotary frequencies, if they change, change at: it comes first on a fresh model.
  describe.each([...golden.facts.prompts].reverse())('prompt $text', (prompt) => {
    test('is tokenised to the recorded ids', () => {
      if (prompt.text_is_truncated) return
      expect(loaded.model.tokenizer.encode(prompt.text)).toEqual(prompt.input_ids)
    })

    test('has the recorded embeddings and logits', async () => {
      const { inputsEmbeds, logits } = await forwardIds(loaded, prompt.input_ids)
      const want = (kind: string) => golden.tensor(prompt.tensors[kind]!).data
      expect(inputsEmbeds).toBeClose(want('inputs_embeds'), EMBEDDING_TOLERANCE)
      expect(logits).toBeClose(want('logits'), LOGIT_TOLERANCE)
    })

    test('is answered with the recorded ids, on a fresh cache and on one with a longer conversation', async () => {
      for (const reusedTokens of [0, prompt.input_ids.length - 1]) {
        if (reusedTokens === 0) loaded.model.conversation.forgetFrom(0)
        const got = await reply(loaded, prompt.input_ids)
        expect(got.tokenIds).toEqual(prompt.generated_ids)
        expect(got.text).toBe(prompt.generated_text)
        expect(got.finish).toBe(prompt.finish)
        expect(got.reusedTokens).toBe(reusedTokens)
      }
    })
  })

  test('decodes the recorded logits step by step, on cached keys and values', async () => {
    const prompt = golden.facts.prompts.find(({ tensors }) => tensors['decode_logits'])!
    const { vocabSize } = loaded.model.opened.blueprint.language.config
    const ids = [...prompt.input_ids, ...prompt.generated_ids]
    const length = prompt.input_ids.length
    const rows = [(await step(loaded, ids, { from: 0, to: length })).subarray((length - 1) * vocabSize)]
    for (let i = length; i < ids.length - 1; i++) rows.push(await step(loaded, ids, { from: i, to: i + 1 }))
    const got = rows.flatMap((row) => [...row])
    expect(got).toBeClose(golden.tensor(prompt.tensors['decode_logits']!).data, LOGIT_TOLERANCE)
  })

  test('tells hooks the output of every layer and the queries before it attends', async () => {
    const { layers } = loaded.model.opened.blueprint.language.config
    const { heads, headDim } = loaded.model.opened.blueprint.language.config as unknown as {
      heads: number
      headDim: number
    }
    const { caches } = loaded.model.conversation
    const { input_ids: ids } = golden.facts.prompts[0]!
    const called: string[] = []
    await step(loaded, ids, { from: 0, to: 5 })
    await step(
      loaded,
      ids,
      { from: 5, to: 8 },
      {
        attention(layer, q, cache) {
          expect(cache).toBe(caches[layer])
          called.push(`attention ${layer} ${q.shape.join()}`)
        },
        afterLayer(layer, hidden, position) {
          called.push(`after ${layer} ${hidden.shape.join()} at ${position}`)
        },
      },
    )
    const width = loaded.model.opened.blueprint.language.config.hiddenSize
    expect(called).toEqual(
      Array.from({ length: layers }, (_, i) => [
        `attention ${i} 3,${heads * headDim}`,
        `after ${i} 3,${width} at 5`,
      ]).flat(),
    )
  })
})

describe('longrope in one cache', () => {
  const golden = new GoldenCase('lm-phi3-longrope')
  /** Tokens within the original length of 64, and the whole of it beyond. */
  const { input_ids: ids } = golden.facts.prompts[2]!
  let loaded: Loaded
  let vocab: number
  let whole: Float32Array
  let short: Float32Array
  beforeAll(async () => {
    loaded = await load(golden, 'f32')
    vocab = loaded.model.opened.blueprint.language.config.vocabSize
    whole = (await forwardIds(loaded, ids)).logits
    short = (await forwardIds(loaded, ids.slice(0, 64))).logits
  })
  afterAll(() => loaded.engine.unload())

  const rows = (logits: Float32Array, from: number, to = logits.length / vocab) =>
    logits.subarray(from * vocab, to * vocab)

  test('the two sides of the limit differ at every position but the first, which sees itself alone', () => {
    expect(rows(short, 0, 1)).toBeClose(rows(whole, 0, 1), LOGIT_TOLERANCE)
    for (let row = 1; row < 64; row++) {
      expect(rows(short, row, row + 1)).not.toBeClose(rows(whole, row, row + 1), LOGIT_TOLERANCE)
    }
  })

  test('crosses the limit by one token and by many, and comes back', async () => {
    await step(loaded, ids, { from: 0, to: 64 })
    expect(await step(loaded, ids, { from: 64, to: 65 })).toBeClose(rows(whole, 64, 65), LOGIT_TOLERANCE)
    expect(await step(loaded, ids, { from: 65, to: 66 })).toBeClose(rows(whole, 65, 66), LOGIT_TOLERANCE)
    expect(await step(loaded, ids, { from: 40, to: 64 })).toBeClose(rows(short, 40), LOGIT_TOLERANCE)
    expect(await step(loaded, ids, { from: 50, to: 90 })).toBeClose(rows(whole, 50, 90), LOGIT_TOLERANCE)
    expect(await step(loaded, ids, { from: 10, to: 11 })).toBeClose(rows(short, 10, 11), LOGIT_TOLERANCE)
  })

  test('computes the parts of a long prompt for its whole length where that is told', async () => {
    const sequenceLength = ids.length
    const head = await step(loaded, ids, { from: 0, to: 30 }, { sequenceLength })
    expect(head).toBeClose(rows(whole, 0, 30), LOGIT_TOLERANCE)
    const middle = await step(loaded, ids, { from: 30, to: 64 }, { sequenceLength })
    expect(middle).toBeClose(rows(whole, 30, 64), LOGIT_TOLERANCE)
    const tail = await step(loaded, ids, { from: 64, to: ids.length })
    expect(tail).toBeClose(rows(whole, 64), LOGIT_TOLERANCE)
  })

  test('hands rows that are computed again to the hook that changed them, and refuses to do without', async () => {
    // The hook clears the row of token 3 behind layer 0, as a sampler for a picture there would replace it.
    const clearing = (enc: () => Encoder): ForwardOptions => ({
      afterLayer(layer, hidden, position) {
        const row = 3 - position
        if (layer !== 0 || row < 0 || row >= hidden.shape[0]!) return
        const width = hidden.shape[1]!
        enc().clear({ ...hidden, shape: [1, width], offset: hidden.offset + row * width * 4 } as Tensor)
      },
    })
    const { gpu, arena, language } = loaded.model.vlm
    const { caches, tokens } = loaded.model.conversation
    const run = async (parts: readonly (readonly [number, number, boolean])[]) => {
      let logits = new Float32Array()
      for (const [from, to, hooked] of parts) {
        const enc = new Encoder(gpu, arena, 'hooked')
        try {
          enc.upload(tokens, Uint32Array.from(ids))
          const x = language.embed(enc, tokens, { start: from, count: to - from })
          const hidden = language.forward(enc, x, caches, from, hooked ? clearing(() => enc) : {})
          logits = (await enc.read(language.logits(enc, hidden))) as Float32Array<ArrayBuffer>
        } finally {
          enc.end()
        }
      }
      return logits
    }
    const want = rows(await run([[0, 66, true]]), 65)
    expect(want).not.toBeClose(rows(whole, 65, 66), LOGIT_TOLERANCE)
    const crossed = await run([
      [0, 20, true],
      [20, 60, false],
      [60, 65, true],
      [65, 66, false],
    ])
    expect(crossed).toBeClose(want, LOGIT_TOLERANCE)
    await expect(
      run([
        [0, 20, true],
        [20, 64, false],
        [64, 65, false],
      ]),
    ).rejects.toThrow('decoder: at 65 tokens, 64 cached rows have to be computed again')
  })
})

describe.each(CASES)('%s in f16', (name) => {
  const golden = new GoldenCase(name)

  test('keeps the logits within tolerance', async () => {
    const loaded = await load(golden, 'f16')
    for (const prompt of golden.facts.prompts) {
      const { logits } = await forwardIds(loaded, prompt.input_ids)
      expect(logits).toBeClose(golden.tensor(prompt.tensors['logits']!).data, 'f16Model')
    }
    await loaded.engine.unload()
  })
})
