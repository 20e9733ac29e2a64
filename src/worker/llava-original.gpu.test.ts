import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GREEDY } from '../model/sampler'
import { OriginalCase } from '../model/testing/original'
import { conversationOf } from './testing/asking'
import { sharedEngine } from './testing/engines'

/** Absolute, as for the cases of Hugging Face's layout. */
const FEATURE_TOLERANCE = { atol: 5e-4, rtol: 0 }
const LOGIT_TOLERANCE = { atol: 2e-3, rtol: 0 }

describe.each(['llava-original', 'llava-v1-linear'])('%s in f32', (name) => {
  const golden = new OriginalCase(name)
  const engine = sharedEngine({ resolveRepository: golden.resolve })
  beforeAll(() =>
    engine.loadFrom(golden.checkpoint, { dtype: 'f32', template: golden.facts.conv_mode }, () => {}, {
      base: golden.base,
    }),
  )
  afterAll(() => engine.unload())

  describe.each(golden.facts.turns)('turn $name', (turn) => {
    const messages = conversationOf(golden, turn)

    test('computes the recorded features, embeddings and logits', async () => {
      const tensors = await engine.debugForward({ messages })
      const recorded = (kind: string) => turn.tensors[kind] && golden.tensor(turn.tensors[kind])
      for (const [ours, theirs] of [
        ['vision_features', 'vision_features'],
        ['connector_output', 'projector_output'],
        ['inputs_embeds', 'inputs_embeds'],
      ] as const) {
        const want = recorded(theirs)
        if (want) expect(tensors[ours]!.data).toBeClose(want.data, FEATURE_TOLERANCE)
      }
      const { data, shape } = tensors['logits']!
      expect(shape[0]).toBe(turn.sequence_length)
      const tail = golden.tensor(turn.tensors['logits_tail']!).data
      expect(data.subarray(data.length - tail.length)).toBeClose(tail, LOGIT_TOLERANCE)
    })

    test('answers with the recorded ids', async () => {
      const reply = await engine.ask(
        { messages, sampling: GREEDY, maxNewTokens: golden.facts.max_new_tokens },
        () => {},
      )
      expect(reply.tokenIds).toEqual(turn.generated_ids)
      expect(reply.text).toBe(turn.generated_text)
      expect(reply.promptTokens).toBe(turn.sequence_length)
      // One -200 a picture in the recording, one a row here.
      const collapsed = reply.promptTokenIds.filter((id, i, ids) => id !== -200 || ids[i - 1] !== -200)
      const recorded = turn.input_ids.filter((id, i, ids) => id !== -200 || ids[i - 1] !== -200)
      expect(collapsed).toEqual(recorded)
    })
  })
})
