import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GREEDY } from '../model/sampler'
import { OriginalCase } from '../model/testing/original'
import type { AskEvent, LoadOptions } from './api'
import type { DebugTensors } from './debug-forward'
import { conversationOf } from './testing/asking'
import { sharedEngine } from './testing/engines'

/** Absolute, as for the cases of Hugging Face's layout. */
const FEATURE_TOLERANCE = { atol: 5e-4, rtol: 0 }
const LOGIT_TOLERANCE = { atol: 2e-3, rtol: 0 }
/** Mean distance of pixel values; our resize is exact but for the last bit of normalising. */
const PIXEL_TOLERANCE = { atol: 1e-5, rtol: 0 }

const TOWERS = [0, 1, 2, 3]
/**
 * What memory holds does not depend on the adapter, nor does the arithmetic of fewer bits, which lighter models show on
 * each; SwiftShader would take minutes.
 */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

function loaded(golden: OriginalCase, options: Partial<LoadOptions> = {}) {
  const engine = sharedEngine({ resolveRepository: golden.resolve })
  const load = (more: Partial<LoadOptions> = {}) =>
    engine.loadFrom(
      golden.checkpoint,
      { dtype: 'f32', template: golden.facts.conv_mode, ...options, ...more },
      () => {},
    )
  return { engine, load }
}

describe.each(['cambrian-llama3', 'cambrian-phi3'])('%s in f32', (name) => {
  const golden = new OriginalCase(name)
  const { engine, load } = loaded(golden)
  beforeAll(() => load())
  afterAll(() => engine.unload())

  describe.each(golden.facts.turns)('turn $name', (turn) => {
    const messages = conversationOf(golden, turn)
    const recorded = (kind: string) => {
      const tensor = turn.tensors[kind]
      return tensor === undefined ? undefined : golden.tensor(tensor)
    }
    let tensors: DebugTensors
    beforeAll(async () => {
      tensors = await engine.debugForward({ messages })
    })

    if (turn.images.length) {
      test('preprocesses pictures for every tower', () => {
        const checked = TOWERS.filter((t) => recorded(`pixel_values.${t}`))
        expect(checked.length).toBeGreaterThan(0)
        for (const t of checked) {
          expect(tensors[`pixel_values.${t}`]!.data).toBeClose(
            recorded(`pixel_values.${t}`)!.data,
            PIXEL_TOLERANCE,
          )
        }
      })

      test.each(TOWERS)('tower %i', (t) => {
        const got = tensors[`tower.${t}`]!.data
        // The ConvNeXt's map is recorded in 16 bits.
        const tolerance = t === 3 ? { atol: 5e-4, rtol: 1e-3 } : FEATURE_TOLERANCE
        expect(got).toBeClose(recorded(`tower.${t}`)!.data, tolerance)
        const aux = recorded(`aux.${t}`)
        if (aux) expect(tensors[`aux.${t}`]!.data).toBeClose(aux.data, FEATURE_TOLERANCE)
      })
    }

    test('computes the recorded embeddings and logits', () => {
      const embeds = recorded('inputs_embeds')
      if (embeds) expect(tensors['inputs_embeds']!.data).toBeClose(embeds.data, FEATURE_TOLERANCE)
      const { data, shape } = tensors['logits']!
      expect(shape[0]).toBe(turn.sequence_length)
      const tail = recorded('logits_tail')!.data
      expect(data.subarray(data.length - tail.length)).toBeClose(tail, LOGIT_TOLERANCE)
    })

    test('answers with the recorded ids, and finds the picture where the config expects it', async () => {
      const events: AskEvent[] = []
      const reply = await engine.ask(
        { messages, sampling: GREEDY, maxNewTokens: golden.facts.max_new_tokens },
        (event) => events.push(event),
      )
      expect(reply.tokenIds).toEqual(turn.generated_ids)
      expect(reply.text).toBe(turn.generated_text)
      expect(reply.promptTokens).toBe(turn.sequence_length)
      expect(events.filter(({ type }) => type === 'notice')).toEqual([])
      const collapsed = reply.promptTokenIds.filter((id, i, ids) => id !== -200 || ids[i - 1] !== -200)
      expect(collapsed).toEqual([...turn.input_ids])
    })
  })

  test('a picture elsewhere in the prompt is refined there, and the difference is reported', async () => {
    const turn = golden.facts.turns[0]!
    const images = conversationOf(golden, turn)[0]!.images!
    const events: AskEvent[] = []
    await engine.ask(
      {
        messages: [],
        raw: { prompt: 'So: <image>\nWhat?', images },
        sampling: GREEDY,
        maxNewTokens: 1,
      },
      (event) => events.push(event),
    )
    const notice = events.find(({ type }) => type === 'notice')
    expect(notice).toMatchObject({ message: expect.stringContaining('image_position') as string })
  })
})

test.skipIf(isSlow)("a picture leaves none of its towers' temporaries behind", async () => {
  const golden = new OriginalCase('cambrian-phi3')
  const { engine, load } = loaded(golden)
  await load()
  const { images, vlm } = engine.loaded!
  const [image] = conversationOf(golden, golden.facts.turns[0]!)[0]!.images!
  const bytes = async () => new Uint8Array(await image!.blob.arrayBuffer())
  await images!.encode([{ key: 'picture', bytes }], new AbortController().signal)
  expect(vlm.arena.totalBytes).toBe(0)
  await engine.unload()
})

describe.skipIf(isSlow).each(['cambrian-llama3', 'cambrian-phi3'])('%s in f16', (name) => {
  const golden = new OriginalCase(name)
  const { engine, load } = loaded(golden, { dtype: 'f16' })
  beforeAll(() => load())
  afterAll(() => engine.unload())

  test.each(golden.facts.turns)('keeps the logits of turn $name within tolerance', async (turn) => {
    const { logits } = await engine.debugForward({ messages: conversationOf(golden, turn) })
    const tail = golden.tensor(turn.tensors['logits_tail']!).data
    expect(logits!.data.subarray(logits!.data.length - tail.length)).toBeClose(tail, 'f16Model')
  })
})

test.skipIf(isSlow)('cambrian-phi3 in q4 with towers in q8 stays near the recorded logits', async () => {
  const golden = new OriginalCase('cambrian-phi3')
  const { engine, load } = loaded(golden)
  const turn = golden.facts.turns[0]!
  const tail = golden.tensor(turn.tensors['logits_tail']!).data
  const distance = async () => {
    const { logits } = await engine.debugForward({ messages: conversationOf(golden, turn) })
    const got = logits!.data.subarray(logits!.data.length - tail.length)
    const error = got.reduce((sum, value, i) => sum + (value - tail[i]!) ** 2, 0)
    return Math.sqrt(error / tail.reduce((sum, value) => sum + value ** 2, 0))
  }
  await load({ dtype: 'q8' })
  const q8 = await distance()
  // What a budget leaves that holds the largest tower at 8 bits, but not at 16.
  const { gpuBytes } = engine.loaded!.plan
  const rest = gpuBytes.total - gpuBytes.vision
  const largest = Math.max(...engine.loaded!.plan.towers.map(({ gpuBytes }) => gpuBytes))
  await load({ dtype: 'q8', memoryBytes: rest + largest * 0.8 })
  expect(engine.loaded!.plan.towerDtype).toBe('q8')
  const small = await distance()
  await load({ dtype: 'q4' })
  const q4 = await distance()
  await engine.unload()
  console.log(
    `relative error of logits: q8 ${q8.toFixed(3)}, towers in q8 ${small.toFixed(3)}, q4 ${q4.toFixed(3)}`,
  )
  expect(q8).toBeLessThan(0.03)
  expect(small).toBeLessThan(0.035)
  expect(q4).toBeLessThan(0.35)
})

describe.skipIf(isSlow)('cambrian-llama3 within a budget that holds no tower beside the others', () => {
  const golden = new OriginalCase('cambrian-llama3')
  const { engine, load } = loaded(golden)
  afterAll(() => engine.unload())

  test('fetches each tower for a picture, frees it, and answers the same', async () => {
    const turn = golden.facts.turns[0]!
    const answer = async () => {
      const events: AskEvent[] = []
      const request = { messages: conversationOf(golden, turn), sampling: GREEDY }
      const { max_new_tokens: maxNewTokens } = golden.facts
      const reply = await engine.ask({ ...request, maxNewTokens }, (event) => events.push(event))
      expect(reply.tokenIds).toEqual(turn.generated_ids)
      const fetched = events.flatMap((event) => (event.type === 'tower' ? [event.tower] : []))
      return { fetched: [...new Set(fetched)], bytes: (await engine.gpuMemory()).allocatedBytes }
    }
    await load()
    const whole = await answer()
    expect(whole.fetched).toEqual([])
    await load({ memoryBytes: 1 })
    const { towers } = engine.loaded!.plan
    expect(towers.filter(({ resident }) => resident)).toEqual([])
    const staged = await answer()
    // Nothing is left for pictures that the question is not about.
    const kept = engine.loaded!.images!
    const [wide] = turn.images
    expect(kept.has(`${golden.name}/${wide}`)).toBe(true)
    const other = conversationOf(golden, golden.facts.turns[1]!)
    await engine.ask({ messages: other, sampling: GREEDY, maxNewTokens: 1 }, () => {})
    expect(kept.has(`${golden.name}/${wide}`)).toBe(false)
    expect(staged.fetched).toEqual(TOWERS)
    const towerBytes = towers.reduce((sum, { gpuBytes }) => sum + gpuBytes, 0)
    expect(staged.bytes).toBeLessThanOrEqual(whole.bytes - towerBytes)
  })
})
