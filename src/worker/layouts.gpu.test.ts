import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../model/config-reader'
import { describeTurn, golden, load, request } from './testing/asking'
import { freshEngine, sharedEngine } from './testing/engines'
import { GoldenCase } from './testing/golden'
import { rewritten } from './testing/rewritten'

/** How weights are found and laid out does not depend on the adapter: kernels are compared on each, split weights too. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

describe.skipIf(isSlow)('key spellings', () => {
  const spellings: [string, (key: string) => string][] = [
    [
      'files saved since transformers 4.52',
      (key) =>
        key
          .replace(/^language_model\.model\./, 'model.language_model.')
          .replace(/^language_model\.lm_head/, 'lm_head')
          .replace(/^vision_tower\.vision_model\./, 'model.vision_tower.')
          .replace(/^multi_modal_projector/, 'model.multi_modal_projector'),
    ],
    [
      "LLaVA's own",
      (key) =>
        key
          .replace(/^language_model\./, '')
          .replace(/^vision_tower\./, 'model.vision_tower.vision_tower.')
          .replace(/^multi_modal_projector\.linear_1/, 'model.mm_projector.0')
          .replace(/^multi_modal_projector\.linear_2/, 'model.mm_projector.2'),
    ],
  ]
  test.each(spellings)('%s', async (_, rename) => {
    const engine = sharedEngine()
    await load(engine, rewritten(golden, { rename }))
    const reply = await engine.ask(request(), () => {})
    expect(reply.tokenIds).toEqual(describeTurn.generated_ids)
    await engine.unload()
  })
})

describe.skipIf(isSlow).each(['llava-clip-llama', 'llava-siglip-qwen2'])(
  'the language model of %s alone',
  (name) => {
    test('loads as a text-only checkpoint and answers the text-only turn', async () => {
      const from = new GoldenCase(name)
      const turn = from.facts.turns.find(({ images }) => images.length === 0)!
      const textOnly = rewritten(from, {
        rename: (key) =>
          key.startsWith('language_model.') ? key.slice('language_model.'.length) : undefined,
        config: (config) => config['text_config'] as JsonObject,
      })
      const engine = sharedEngine()
      const info = await load(engine, textOnly)
      expect(info).toMatchObject({ acceptsImages: false, imageTokens: 0 })
      const raw = { prompt: turn.prompt, images: [] }
      const reply = await engine.ask({ ...request(), messages: [], raw }, () => {})
      expect(reply.tokenIds).toEqual(turn.generated_ids)
      const pictures = { ...request(), messages: golden.messages(describeTurn) }
      await expect(engine.ask(pictures, () => {})).rejects.toMatchObject({ name: 'ImageError' })
      await engine.unload()
    })
  },
)

test.skipIf(isSlow)('weights split over several bindings answer the same', async () => {
  // The smallest binding that still holds 64 rows of every matrix; the widest is the patch embedding, padded to 608.
  const engine = freshEngine({ restrict: { maxBindingBytes: 64 * 608 * 4 } })
  await load(engine, undefined, 100)
  const parts = engine.loaded!.vlm.weights.matrix('language.model.embed_tokens.weight').parts.length
  expect(parts).toBeGreaterThan(1)
  expect((await engine.ask(request(), () => {})).tokenIds).toEqual(describeTurn.generated_ids)
  await engine.unload()
})

test.skipIf(isSlow)('one path needs neither subgroups nor f16 and answers the same', async () => {
  const engine = freshEngine({ restrict: { subgroups: undefined, shaderF16: false } })
  await load(engine)
  expect((await engine.ask(request(), () => {})).tokenIds).toEqual(describeTurn.generated_ids)
  await engine.unload()
})
