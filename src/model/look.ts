import { attentionWeightsInto, Encoder, takeRows } from '../kernels'
import type { ChatModel } from './chat-model'
import { ConfigError } from './errors'
import { embedPrompt, PREFILL_ROWS } from './generate'
import { areaRegion, cellsOf, rowLayout, shownRegion, type Region } from './picture-layout'
import type { Prompt } from './prompt'

/** A finished reply, as far as looking into it needs. */
export interface Turn {
  readonly prompt: Prompt
  readonly tokenIds: readonly number[]
  /** Prompt rows that were cached before. */
  readonly reusedTokens: number
}

/** A picture's cells, with a value for each or for each of its towers. */
export interface PictureLook {
  /** Among the prompt's pictures. */
  readonly image: number
  readonly rows: number
  readonly columns: number
  readonly region: Region
  /** Shapes: [rows, columns], or [rows, columns, towers]. */
  readonly values: Float32Array<ArrayBuffer>
}

/**
 * Where the model looked when it chose some tokens of its last reply: attention over the cells of each picture, averaged
 * over tokens, heads and layers; `share` is how much fell on the picture at all.
 *
 * The steps that chose them run once more: keys, values and ids are all there still, and what a step writes is what
 * stands there already.
 *
 * Throws: ConfigError when there is nothing to look at, or a picture's rows are no map of it.
 */
export async function lookAtTokens(
  model: ChatModel,
  turn: Turn,
  tokens: readonly number[],
): Promise<(PictureLook & { share: number })[]> {
  const { vlm, conversation, plan } = model
  const { prompt, tokenIds } = turn
  const chosen = [...new Set(tokens)]
  const odd = chosen.find((token) => tokenIds[token] === undefined)
  if (odd !== undefined || !chosen.length) {
    throw new ConfigError(
      `look: expected tokens from 0 to ${tokenIds.length - 1}, got ${odd ?? 'none'}. Name tokens of the last reply.`,
    )
  }
  const pictures = prompt.images.map((image) => ({ ...image, ...pictureOf(model, image.key) }))
  if (!pictures.length) {
    throw new ConfigError('look: the last question came without a picture. Ask about a picture first.')
  }
  if (prompt.ids.length + Math.max(...chosen) > conversation.length) throw gone()

  const weights = new Float64Array(plan.contextLength)
  const enc = new Encoder(vlm.gpu, vlm.arena, 'look')
  try {
    for (const token of chosen) {
      const attention = await repeatStep(model, turn, token, enc)
      attention.forEach((weight, at) => (weights[at]! += weight / chosen.length))
    }
  } finally {
    enc.end()
  }
  return pictures.map(({ start, rows, size, shown }, image) => {
    const layout = rowLayout(vlm.connector!, vlm.towers.blueprints, size)
    const { area, side } = layout
    const own = weights.subarray(start, start + rows)
    return {
      image,
      rows: area.rows,
      columns: area.columns,
      region: areaRegion(shown, area, side),
      values: cellsOf(own, layout),
      share: own.reduce((sum, weight) => sum + weight, 0),
    }
  })
}

/**
 * Runs the step that chose a token as it ran then: the first came from the prompt's last rows, any other from one row.
 *
 * Returns: attention to every position, averaged over heads and layers.
 */
async function repeatStep(
  { vlm, conversation }: ChatModel,
  { prompt, reusedTokens }: Turn,
  token: number,
  enc: Encoder,
): Promise<Float32Array> {
  const end = prompt.ids.length + token
  const prefilled = end - reusedTokens
  const count = token > 0 ? 1 : prefilled % PREFILL_ROWS || PREFILL_ROWS
  const position = end - count
  const factor = 1 / vlm.blueprint.language.config.layers
  const sum = enc.temp([end], 'f32', 'attention weights')
  enc.clear(sum)
  const x = embedPrompt(vlm, conversation.tokens, prompt, { start: position, count }, enc)
  vlm.forward(enc, x, conversation.caches, position, prompt.images, {
    // Rotary embeddings are those of the conversation as it stands, whose keys are not to change.
    sequenceLength: conversation.length,
    attention(_, q, cache, { heads, scale, slidingWindow = Infinity }) {
      if (slidingWindow < end) throw beyondWindow(slidingWindow, end)
      const last = takeRows(enc, q, { batch: 1, start: count - 1, count: 1 })
      const range = { start: 0, count: end }
      attentionWeightsInto(enc, sum, last, cache, { heads, scale, length: end, range, factor })
    },
  })
  const weights = await enc.read(sum)
  enc.end()
  return weights
}

/**
 * How much each vision tower gives to each cell of one of the prompt's pictures, in the connector's last layer.
 *
 * Throws: ConfigError when the model does not weigh towers against one another.
 */
export async function lookAtTowers(model: ChatModel, turn: Turn, image: number): Promise<PictureLook> {
  const { vlm } = model
  const { connector } = vlm
  if (!connector?.shares) {
    throw new ConfigError(
      'look: expected a model that weighs several vision towers, as Cambrian-1, and this one does not. Load such a model.',
    )
  }
  const picture = turn.prompt.images[image]
  if (!picture) {
    throw new ConfigError(
      `look: expected one of ${turn.prompt.images.length} pictures, got number ${image}. Name a picture of the last prompt.`,
    )
  }
  const { size, shown, sampled } = pictureOf(model, picture.key)
  const enc = new Encoder(vlm.gpu, vlm.arena, 'look')
  try {
    const { shares, side, area } = connector.shares(enc, sampled!.maps, size)
    return {
      image,
      rows: area.rows,
      columns: area.columns,
      region: areaRegion(shown, area, side),
      values: (await enc.read(shares)) as Float32Array<ArrayBuffer>,
    }
  } finally {
    enc.end()
  }
}

/** What is known of a picture of the last prompt. Throws: ConfigError where it is no longer kept. */
function pictureOf({ images, opened }: ChatModel, key: string) {
  const known = images?.known(key)
  if (!known) throw gone()
  // All towers of a model see the same square.
  return { ...known, shown: shownRegion(known.size, opened.processors[0]!) }
}

const gone = () =>
  new ConfigError(
    'look: expected the last reply to be in memory, but it is not any more. Ask the question again.',
  )

const beyondWindow = (window: number, length: number) =>
  new ConfigError(
    `look: expected a conversation of at most ${window} tokens, as far as this model sees back, got ${length}. ` +
      'Ask in a new chat.',
  )
