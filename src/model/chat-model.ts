import { Arena, Encoder, warmUp, type Gpu, type Variant } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import type { StreamProgress } from './checkpoint/progress'
import { Conversation } from './conversation'
import { ConfigError } from './errors'
import { embedPrompt } from './generate'
import type { Codecs } from './image/codecs'
import { outputSizeOf, parseImageProcessor } from './image/processor'
import { ImageFeatures } from './image-features'
import { loadWeights } from './load-weights'
import type { MemoryPlan } from './plan'
import { sampleToken } from '../kernels'
import { Tokenizer } from './tokenizer'
import { Vlm } from './vlm'

export type ModelProgress =
  ({ phase: 'weights' } & StreamProgress) | { phase: 'compile'; done: number; total: number }

/** A model on the GPU with everything a chat needs: tokenizer, picture features, one conversation's cache. */
export class ChatModel {
  private constructor(
    readonly opened: OpenedModel,
    readonly plan: MemoryPlan,
    readonly vlm: Vlm,
    readonly tokenizer: Tokenizer,
    readonly images: ImageFeatures | undefined,
    readonly conversation: Conversation,
    readonly eosTokenIds: ReadonlySet<number>,
    readonly peakHostBytes: number,
  ) {}

  /**
   * Loads weights, allocates the conversation and compiles every kernel it will use.
   *
   * Throws: as loadWeights, Tokenizer.from and parseImageProcessor; nothing stays allocated then.
   */
  static async load(
    gpu: Gpu,
    opened: OpenedModel,
    plan: MemoryPlan,
    options: {
      codecs: Codecs
      template?: string | undefined
      signal: AbortSignal
      onProgress: (progress: ModelProgress) => void
    },
  ): Promise<ChatModel> {
    const { signal, onProgress } = options
    // What can be wrong in small files is said before gigabytes are fetched.
    const tokenizer = Tokenizer.from(opened, options.template)
    const processor = opened.blueprint.vision && imageProcessor(opened)
    const arena = new Arena(gpu)
    let vlm: Vlm | undefined
    let conversation: Conversation | undefined
    try {
      const { weights, peakHostBytes } = await loadWeights(gpu, arena, opened, plan.dtype, {
        signal,
        onProgress: (progress) => onProgress({ phase: 'weights', ...progress }),
      })
      vlm = new Vlm(gpu, arena, opened.blueprint, weights)
      conversation = new Conversation(gpu, opened.blueprint.language.config, plan.contextLength, plan.kvDtype)
      await gpu.check()
      await warmUp(
        gpu,
        usedKernels(vlm, conversation),
        (done, total) => onProgress({ phase: 'compile', done, total }),
        signal,
      )
      arena.trim()
      const images = processor && new ImageFeatures(vlm, processor, options.codecs)
      const eos = endTokenIds(opened, tokenizer)
      return new ChatModel(opened, plan, vlm, tokenizer, images, conversation, eos, peakHostBytes)
    } catch (error) {
      conversation?.destroy()
      if (vlm) vlm.destroy()
      else arena.destroy()
      throw error
    }
  }

  destroy(): void {
    this.images?.destroy()
    this.conversation.destroy()
    this.vlm.destroy()
  }
}

/** Records a picture, a prompt and a decoding step without running them, to learn their kernels. */
function usedKernels(vlm: Vlm, conversation: Conversation): Variant[] {
  const { gpu, arena, language, blueprint } = vlm
  const record = (enc: Encoder) => {
    const step = (rows: number, position: number, temperature: number) =>
      enc.scope(() => {
        const prompt = { ids: new Uint32Array(rows), images: [], imageTokens: 0, keys: [] }
        const x = embedPrompt(vlm, conversation.tokens, prompt, { start: position, count: rows }, enc)
        const hidden = language.forward(enc, x, conversation.caches, position)
        const last = rows === 1 ? hidden : enc.temp([1, hidden.shape[1]!])
        const sampling = { temperature, topK: 0, topP: 1, repetitionPenalty: 1, seed: 0, step: 0 }
        sampleToken(enc, language.logits(enc, last), conversation.tokens, {
          ...sampling,
          length: position + rows,
        })
      })
    const { vision } = blueprint
    if (vision) {
      const side = vision.tower.config.imageSize
      enc.scope(() => {
        const features = vlm.connect(enc, vlm.visionFeatures(enc, enc.temp([1, 3, side, side])))
        const rows = features.shape[0]!
        const count = Math.min(rows, conversation.capacity)
        const images = [{ key: '', features, start: 0, rows }]
        const prompt = { ids: new Uint32Array(count), images, imageTokens: rows, keys: [] }
        embedPrompt(vlm, conversation.tokens, prompt, { start: 0, count }, enc)
      })
    }
    step(Math.min(64, conversation.capacity - 1), 0, 0)
    step(1, Math.min(64, conversation.capacity - 1), 0)
    step(1, 1, 0.7)
    // A long context takes another form of attention.
    step(1, conversation.capacity - 1, 0)
  }
  return Encoder.collect(gpu, arena, record)
}

function imageProcessor({ files, source, blueprint }: OpenedModel) {
  const json = files['preprocessor_config.json'] ?? files['processor_config.json']
  if (!json) {
    throw new ConfigError(
      `${source.name}: preprocessor_config.json was not found; it says how pictures are resized. Add it to the checkpoint.`,
    )
  }
  const processor = parseImageProcessor(json)
  outputSizeOf(processor)
  return blueprint.vision?.padToSquare ? { ...processor, padToSquare: true } : processor
}

/** generation_config.json decides, then config.json, then the tokenizer, as transformers' generate; a template adds its own. */
function endTokenIds({ files, config }: OpenedModel, tokenizer: Tokenizer): ReadonlySet<number> {
  const text = config['text_config']
  const candidates = [
    files['generation_config.json']?.['eos_token_id'],
    config['eos_token_id'],
    text !== null && typeof text === 'object' && !Array.isArray(text) ? text['eos_token_id'] : undefined,
    tokenizer.eosTokenId,
  ]
  const stops = tokenizer.stopTokenIds
  for (const value of candidates) {
    if (typeof value === 'number') return new Set([value, ...stops])
    if (Array.isArray(value)) {
      return new Set([...value.filter((id): id is number => typeof id === 'number'), ...stops])
    }
  }
  return new Set(stops)
}
