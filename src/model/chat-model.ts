import {
  Arena,
  Encoder,
  sampleToken,
  unpackRows,
  warmUp,
  withFallbacks,
  type Gpu,
  type Tensor,
  type Tuning,
  type Variant,
} from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import type { StartHash } from './checkpoint/hasher'
import type { StreamProgress } from './checkpoint/progress'
import type { StreamedFile } from './checkpoint/stream-tensors'
import type { PictureConnector } from './connector/definition'
import { Conversation } from './conversation'
import { embedPrompt, PREFILL_ROWS } from './generate'
import type { Codecs } from './image/codecs'
import { ImageFeatures } from './image-features'
import { AllocatedWeights } from './load-weights'
import { MOST_AT_ONCE } from './picture-cost'
import type { MemoryPlan } from './plan'
import type { WeightStore } from './parameters'
import type { OnnxLoader } from './onnx/runtime'
import { towerLoader } from './load-tower'
import { FileKeeper, type KeptFile, type OpenByteStore } from './file-keeper'
import { selectFeatures } from './towers'
import { connectorSpecs } from './train/trained-connector'
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
    /** What its weights were read from, and which of it was found to have the hash it should have. */
    readonly files: readonly StreamedFile[],
    /** What a reader may want to know about how it runs. */
    readonly notes: ReadonlySet<string>,
  ) {}

  /**
   * Allocates weights and conversation, then streams the weights while every kernel that will be used is compiled.
   *
   * Throws: as loadWeights, Tokenizer.from and ExternalTower.open; nothing stays allocated then.
   */
  static async load(
    gpu: Gpu,
    opened: OpenedModel,
    plan: MemoryPlan,
    options: {
      codecs: Codecs
      onnx?: OnnxLoader | undefined
      modelStore?: OpenByteStore | undefined
      onKept?: ((file: KeptFile) => void) | undefined
      startHash?: StartHash | undefined
      template?: string | undefined
      signal: AbortSignal
      onProgress: (progress: ModelProgress) => void
    },
  ): Promise<ChatModel> {
    const { signal, onProgress } = options
    // What can be wrong in small files is said before gigabytes are fetched.
    const tokenizer = Tokenizer.from(opened, options.template)
    const { vision } = opened.blueprint
    const staged = (vision?.towers ?? []).filter((_, i) => !plan.towers[i]!.resident)
    const arena = new Arena(gpu)
    const notes = new Set<string>()
    const onNote = (note: string) => void notes.add(note)
    const keeper = options.modelStore && new FileKeeper(options.modelStore, onNote, options.onKept)
    // What fails first stops the rest; a failure of the GPU may come while weights stream, or the other way round.
    const failure = new AbortController()
    const either = AbortSignal.any([signal, failure.signal])
    let weights: WeightStore | undefined
    let vlm: Vlm | undefined
    let conversation: Conversation | undefined
    let work: Promise<unknown>[] = []
    try {
      const allocated = await AllocatedWeights.allocate(gpu, opened, plan.dtype, {
        towerDtype: plan.towerDtype,
        only: (name) => !staged.some(({ prefix }) => name.startsWith(`${prefix}.`)),
      })
      weights = allocated.weights
      vlm = new Vlm(gpu, arena, opened.blueprint, weights, {
        isResident: (tower) => plan.towers[tower]!.resident,
        load: towerLoader(gpu, arena, opened, plan, {
          onnx: options.onnx,
          keeper,
          startHash: options.startHash,
          onNote,
        }),
      })
      conversation = gpu.allOrNone(
        () => new Conversation(gpu, opened.blueprint.language.config, plan.contextLength, plan.kvDtype),
      )
      await gpu.check()

      const onWeights = (progress: StreamProgress) => onProgress({ phase: 'weights', ...progress })
      const compiling = new LaterProgress((done, total) => onProgress({ phase: 'compile', done, total }))
      const { towers } = vlm
      const stream = ({ checkpoints }: OpenedModel, onProgress: typeof onWeights | undefined) =>
        allocated.stream(arena, { checkpoints, signal: either, onProgress, startHash: options.startHash })
      const streaming = (
        keeper
          ? keeper.keep(opened, { onProgress: onWeights, onlyHashed: true }, stream)
          : stream(opened, onWeights)
      ).then(async (report) => {
        await towers.open({ signal: either, onProgress: onWeights })
        compiling.tell()
        return report
      })
      const kernels = usedKernels.bind(undefined, vlm, conversation)
      const compiled = withFallbacks(gpu, () => warmUp(gpu, kernels(), compiling.onProgress, either), onNote)
      work = [streaming, compiled]
      const [report] = await Promise.all([streaming, compiled])
      if (report.hashTrouble !== undefined) {
        notes.add(`The weights were not checked against their hashes (${report.hashTrouble}).`)
      }
      arena.trim()
      const images = vision && new ImageFeatures(vlm, opened.processors, options.codecs, plan)
      const eos = endTokenIds(opened, tokenizer)
      const { peakHostBytes, files } = report
      return new ChatModel(
        opened,
        plan,
        vlm,
        tokenizer,
        images,
        conversation,
        eos,
        peakHostBytes,
        files,
        notes,
      )
    } catch (error) {
      failure.abort()
      await Promise.allSettled(work)
      conversation?.destroy()
      if (vlm) vlm.destroy()
      else {
        weights?.destroy()
        arena.destroy()
      }
      throw error
    }
  }

  /** Every parameter of the checkpoint's own connector, by the connector's names. */
  async connectorValues(): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    const { gpu, arena, weights } = this.vlm
    const own = weights.at('connector')
    const enc = new Encoder(gpu, arena, 'read connector')
    const values = new Map<string, Float32Array<ArrayBuffer>>()
    try {
      for (const [name, { kind }] of Object.entries(connectorSpecs(this.opened.blueprint))) {
        const tensor = kind === 'vector' ? own.vector(name) : unpackRows(enc, own.matrix(name))
        values.set(name, (await enc.read(tensor)) as Float32Array<ArrayBuffer>)
        enc.end()
      }
    } finally {
      enc.end()
    }
    return values
  }

  /** Puts another connector in place of the checkpoint's, which undefined brings back; pictures are joined anew. */
  useConnector(connector: PictureConnector | undefined): void {
    this.vlm.useConnector(connector)
    this.images?.forgetAll()
    this.conversation.forgetFrom(0)
  }

  /**
   * Puts a tuning in place once every kernel is compiled that the model uses under it.
   *
   * Throws: the signal's reason, and ShaderError for a refused shader; the tuning before stays in place then.
   */
  async tune(tuning: Tuning, signal: AbortSignal): Promise<void> {
    const { gpu } = this.vlm
    const before = gpu.tuning
    let used: Variant[]
    gpu.tuning = tuning
    try {
      used = usedKernels(this.vlm, this.conversation)
    } finally {
      gpu.tuning = before
    }
    await warmUp(gpu, used, undefined, signal)
    gpu.tuning = tuning
  }

  destroy(): void {
    this.images?.destroy()
    this.conversation.destroy()
    this.vlm.destroy()
  }
}

/** Progress of what runs beside something else, told only once that is done: a reader follows one bar at a time. */
class LaterProgress {
  private latest: [done: number, total: number] | undefined
  private isTold = false

  constructor(private readonly report: (done: number, total: number) => void) {}

  readonly onProgress = (done: number, total: number): void => {
    this.latest = [done, total]
    if (this.isTold) this.report(done, total)
  }

  tell(): void {
    this.isTold = true
    if (this.latest) this.report(...this.latest)
  }
}

/** Records a picture through the towers at hand and on into the language model. */
function recordPicture(vlm: Vlm, conversation: Conversation, enc: Encoder): void {
  const { towers, connector } = vlm
  if (!connector) return
  const size = { width: 1, height: 1 }
  enc.scope(() => {
    const maps: Tensor[] = []
    for (const [i, bp] of towers.blueprints.entries()) {
      const side = bp.tower.config.imageSize
      // A tower that is fetched for each question, or runs elsewhere, is compiled when it comes.
      const tower = bp.tower.external ? undefined : towers.at(i)
      const see = (batch: number) => tower?.features(enc, enc.temp([batch, 3, side, side]))
      // On GPUs, products of several pictures' rows take other forms.
      if (!vlm.gpu.caps.isSoftware) enc.scope(() => void see(MOST_AT_ONCE))
      const features = see(1)
      if (!features || features instanceof Promise) return
      maps.push(connector.keep(enc, i, selectFeatures(enc, bp, features)))
    }
    const features = connector.join(enc, maps, size)
    const rows = features.shape[0]!
    const count = Math.min(rows, conversation.capacity - 1, PREFILL_ROWS)
    const images = [{ key: '', features, sampled: { maps, size }, start: 0, rows }]
    const prompt = { ids: new Uint32Array(count), images, imageTokens: rows, keys: [] }
    const x = embedPrompt(vlm, conversation.tokens, prompt, { start: 0, count }, enc)
    if (connector.samplers.size) vlm.forward(enc, x, conversation.caches, 0, images)
  })
}

/** Records a picture, a prompt and a decoding step without running them, to learn their kernels. */
function usedKernels(vlm: Vlm, conversation: Conversation): Variant[] {
  const { gpu, arena, language } = vlm
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
    recordPicture(vlm, conversation, enc)
    // On GPUs, prompts of few, some and many rows take different forms of products.
    for (const rows of gpu.caps.isSoftware ? [64] : [16, 64, PREFILL_ROWS]) {
      step(Math.min(rows, conversation.capacity - 1), 0, 0)
    }
    step(1, Math.min(64, conversation.capacity - 1), 0)
    step(1, 1, 0.7)
    // A long context takes another form of attention.
    step(1, conversation.capacity - 1, 0)
  }
  return Encoder.collect(gpu, arena, record)
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
