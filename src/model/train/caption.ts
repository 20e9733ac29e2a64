import { createTensor, Encoder, type Tensor } from '../../kernels'
import type { ChatModel } from '../chat-model'
import type { PictureConnector } from '../connector/definition'
import { generate } from '../generate'
import { buildPrompt } from '../prompt'
import { GREEDY } from '../sampler'
import { TextStream } from '../text-stream'
import type { Recipe, Utterance } from './definition'
import type { TrainingPicture } from './training-pass'

/** Tokens of a caption that is written for looking at, at most. */
const CAPTION_TOKENS = 48

/**
 * What the model says of a picture through another connector than its own, greedily, under the recipe's template. The
 * conversation's cache is used for it, and empty afterwards.
 *
 * Throws: DeviceLostError, TemplateError; an abort gives what was said so far.
 */
export async function captionPicture(
  { vlm, tokenizer, conversation: cache, opened, eosTokenIds }: ChatModel,
  options: {
    readonly connector: PictureConnector
    readonly recipe: Recipe
    readonly conversation: readonly Utterance[]
    readonly picture: TrainingPicture
    readonly signal: AbortSignal
  },
): Promise<string> {
  const { gpu, arena } = vlm
  const { connector, recipe, conversation, picture, signal } = options
  const owned: Tensor[] = []
  const own = (enc: Encoder, tensor: Tensor) => {
    const copy = createTensor(gpu, 'caption picture', tensor.shape)
    enc.copy(tensor, copy)
    owned.push(copy)
    return copy
  }
  const enc = new Encoder(gpu, arena, 'caption')
  const before = vlm.useConnector(connector)
  try {
    const maps = picture.features(enc).map((map, tower) => connector.keep(enc, tower, map))
    const features = own(enc, connector.join(enc, maps, picture.size))
    const kept = connector.samplers.size ? maps.map((map) => own(enc, map)) : []
    enc.end()
    const sampled = kept.length ? { maps: kept, size: picture.size } : undefined
    const ids = tokenizer.promptOf(conversation, recipe)
    const placeholder = opened.blueprint.vision?.imageTokenId
    const prompt = buildPrompt(ids, placeholder, [{ key: 'caption', features, sampled }])
    cache.forgetFrom(0)
    const stop = recipe.template === 'model' ? tokenizer.stopStrings : []
    const text = new TextStream((tokens) => tokenizer.decode(tokens), stop)
    await generate(vlm, cache, prompt, {
      sampling: GREEDY,
      maxNewTokens: CAPTION_TOKENS,
      eosTokenIds,
      signal,
      text,
    })
    text.finish()
    const caption =
      recipe.template === 'plain' && recipe.captionEnd === 'newline' ? text.value.split('\n')[0]! : text.value
    return caption.trim()
  } finally {
    enc.end()
    vlm.useConnector(before)
    cache.forgetFrom(0)
    for (const { buffer } of owned) gpu.destroyBuffer(buffer)
  }
}
