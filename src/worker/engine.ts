import { openGpu, selfTest, SelfTestError, type Capabilities, type Gpu } from '../kernels'
import { ChatModel } from '../model/chat-model'
import { filesToFetch, openModel, type OpenedModel } from '../model/checkpoint-files'
import { hubSource } from '../model/checkpoint/hub-source'
import { openSource } from '../model/checkpoint/open-source'
import type { CheckpointSource } from '../model/checkpoint/source'
import { AbortError, ConfigError, ImageError } from '../model/errors'
import { forwardAll, generate } from '../model/generate'
import { createCodecs, type CodecLoader } from '../model/image/codecs'
import { planMemory } from '../model/plan'
import { buildPrompt, type Prompt, type PromptImage } from '../model/prompt'
import type { ResolveRepository } from '../model/repositories'
import { checkSampling } from '../model/sampler'
import { TextStream } from '../model/text-stream'
import type { TrilobiteError } from '../kernels/errors'
import type {
  AskEvent,
  AskRequest,
  DeviceReport,
  EngineApi,
  EngineEvent,
  ErrorName,
  ImageInput,
  LoadOptions,
  LoadProgress,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Reply,
} from './api'

export type { ResolveRepository } from '../model/repositories'

export interface EngineHost {
  /** `navigator.gpu`, or Dawn's in Node; undefined where there is none. */
  readonly gpu: GPU | undefined
  /** Gives the compiled picture decoders. */
  readonly imageCodecs: CodecLoader
  /** Capabilities taken away, to try the paths of lesser devices. */
  readonly restrict?: Partial<Capabilities>
  /** Finds repositories a checkpoint refers to; default: the hub the checkpoint came from, or Hugging Face. */
  readonly resolveRepository?: ResolveRepository
}

/** Where a checkpoint's base model lies and how repositories that it refers to are found. */
export interface OtherSources {
  base?: CheckpointSource | undefined
  resolve?: ResolveRepository | undefined
}

/** Tensors of one prompt, as golden cases record them. */
export type DebugTensors = Record<string, { shape: number[]; data: Float32Array }>

/**
 * The engine behind the contract: one device, at most one model, one reply at a time.
 *
 * A lost device frees everything; the next call opens it anew.
 */
export class Engine implements EngineApi {
  private device: Promise<{ gpu: Gpu; report: DeviceReport }> | undefined
  private model: ChatModel | undefined
  private loading: AbortController | undefined
  private answering: AbortController | undefined
  private turn: Promise<unknown> = Promise.resolve()
  private readonly watchers: ((event: EngineEvent) => void)[] = []
  private readonly codecs

  constructor(private readonly host: EngineHost) {
    this.codecs = createCodecs(host.imageCodecs)
  }

  /** The model that answers, once loaded. */
  get loaded(): ChatModel | undefined {
    return this.model
  }

  async probe(): Promise<DeviceReport> {
    try {
      return (await this.open()).report
    } catch (error) {
      const { name, message } = error as TrilobiteError
      return {
        ok: false,
        problem: { name: name as ErrorName, message },
        adapter: { vendor: '', architecture: '', description: '' },
        isSoftware: false,
        features: { shaderF16: false, subgroups: false, timestampQuery: false },
        limits: {
          maxBufferSize: 0,
          maxStorageBufferBindingSize: 0,
          maxComputeWorkgroupStorageSize: 0,
          maxComputeInvocationsPerWorkgroup: 0,
          maxStorageBuffersPerShaderStage: 0,
        },
      }
    }
  }

  plan(source: ModelSource, options: LoadOptions): Promise<ModelPlan> {
    return this.planFrom(openSource(source), options, this.othersOf(source, options))
  }

  async planFrom(
    source: CheckpointSource,
    options: LoadOptions,
    others: OtherSources = {},
  ): Promise<ModelPlan> {
    const { gpu } = await this.open()
    return describePlan(await openModel(source, this.completed(others)), gpu, options)
  }

  load(source: ModelSource, options: LoadOptions, onProgress: (p: LoadProgress) => void): Promise<ModelInfo> {
    return this.loadFrom(openSource(source), options, onProgress, this.othersOf(source, options))
  }

  /** `load` for any byte source, such as a disk folder in Node. */
  async loadFrom(
    source: CheckpointSource,
    options: LoadOptions,
    onProgress: (p: LoadProgress) => void,
    others: OtherSources = {},
  ): Promise<ModelInfo> {
    this.loading?.abort()
    this.answering?.abort()
    const controller = new AbortController()
    this.loading = controller
    return this.exclusively(async () => {
      const { signal } = controller
      if (signal.aborted) throw new AbortError('load: cancelled.')
      const started = performance.now()
      const { gpu } = await this.usable()
      this.dropModel()
      try {
        const opened = await openModel(source, {
          ...this.completed(others),
          signal,
          onFile: (file) => onProgress({ phase: 'config', file }),
        })
        const plan = planMemory(opened, gpu.caps, options)
        const model = await ChatModel.load(gpu, opened, plan, {
          codecs: this.codecs,
          template: options.template,
          signal,
          onProgress,
        })
        if (signal.aborted) {
          model.destroy()
          throw new AbortError('load: cancelled.')
        }
        this.model = model
        onProgress({ phase: 'ready' })
        return describeModel(model, gpu, performance.now() - started)
      } catch (error) {
        throw signal.aborted ? new AbortError('load: cancelled.') : error
      } finally {
        if (this.loading === controller) this.loading = undefined
      }
    })
  }

  async cancelLoad(): Promise<void> {
    this.loading?.abort()
  }

  ask(request: AskRequest, onEvent: (e: AskEvent) => void): Promise<Reply> {
    return this.exclusively(async () => {
      const controller = new AbortController()
      this.answering = controller
      try {
        return await this.answer(request, onEvent, controller.signal)
      } finally {
        this.answering = undefined
      }
    })
  }

  async abort(): Promise<void> {
    this.answering?.abort()
  }

  async unload(): Promise<void> {
    this.loading?.abort()
    this.answering?.abort()
    await this.exclusively(async () => this.dropModel())
  }

  async watch(onEvent: (e: EngineEvent) => void): Promise<void> {
    this.watchers.push(onEvent)
  }

  async loseDevice(): Promise<void> {
    const { gpu } = await this.open()
    gpu.device.destroy()
  }

  /** Bytes of every GPU buffer alive and the most there were. */
  async gpuMemory(): Promise<{ allocatedBytes: number; peakBytes: number }> {
    const { gpu } = await this.open()
    return { allocatedBytes: gpu.allocatedBytes, peakBytes: gpu.peakBytes }
  }

  /** Every tensor a golden case records, for one prompt. */
  async debugForward(request: Pick<AskRequest, 'messages' | 'raw'>): Promise<DebugTensors> {
    return this.exclusively(async () => {
      const model = this.requireModel()
      const { vlm, images, conversation } = model
      const { signal } = new AbortController()
      const tensors: DebugTensors = {}
      const { Encoder } = await import('../kernels')
      const pictures: {
        pixels: Float32Array
        features: Float32Array
        connected: Float32Array
        shapes: number[][]
      }[] = []
      for (const image of imagesOf(request)) {
        const values = await images!.pixels(new Uint8Array(await image.blob.arrayBuffer()))
        const pixels = images!.uploadPixels(values)
        const enc = new Encoder(vlm.gpu, vlm.arena, 'debug')
        const features = vlm.visionFeatures(enc, pixels)
        const connected = vlm.connect(enc, features)
        pictures.push({
          pixels: values.pixels,
          features: await enc.read(features),
          connected: await enc.read(connected),
          shapes: [[3, values.height, values.width], [...features.shape], [...connected.shape]],
        })
        enc.end()
        vlm.gpu.destroyBuffer(pixels.buffer)
      }
      const stack = (name: string, pick: (p: (typeof pictures)[number]) => Float32Array, shape: number) => {
        if (!pictures.length) return
        const each = pictures.map(pick)
        const data = new Float32Array(each.reduce((sum, { length }) => sum + length, 0))
        let at = 0
        for (const values of each) {
          data.set(values, at)
          at += values.length
        }
        tensors[name] = { shape: [pictures.length, ...pictures[0]!.shapes[shape]!], data }
      }
      stack('pixel_values', ({ pixels }) => pixels, 0)
      stack('vision_features', ({ features }) => features, 1)
      stack('connector_output', ({ connected }) => connected, 2)
      const prompt = await this.prepare(model, request, () => {}, signal)
      const { inputsEmbeds, logits } = await forwardAll(vlm, conversation, prompt)
      const rows = prompt.ids.length
      const { hiddenSize, vocabSize } = vlm.blueprint.language.config
      tensors['inputs_embeds'] = { shape: [rows, hiddenSize], data: inputsEmbeds }
      tensors['logits'] = { shape: [rows, vocabSize], data: logits }
      return tensors
    })
  }

  private async answer(
    request: AskRequest,
    onEvent: (e: AskEvent) => void,
    signal: AbortSignal,
  ): Promise<Reply> {
    const model = this.requireModel()
    const { vlm, conversation, tokenizer } = model
    const sampling = checkSampling(request.sampling)
    const started = performance.now()
    const text = new TextStream(
      (ids) => tokenizer.decode(ids),
      [...(request.stop ?? []), ...tokenizer.stopStrings],
    )
    let prompt: Prompt
    try {
      prompt = await this.prepare(model, request, onEvent, signal)
    } catch (error) {
      if (!(error instanceof AbortError)) throw error
      return emptyReply(performance.now() - started)
    }
    const { tokenIds, finish, reusedTokens, firstTokenAt } = await generate(vlm, conversation, prompt, {
      sampling,
      maxNewTokens: request.maxNewTokens,
      eosTokenIds: model.eosTokenIds,
      signal,
      text,
      onPrefill: (reused) =>
        onEvent({
          type: 'prefill',
          promptTokens: prompt.ids.length,
          reusedTokens: reused,
          imageTokens: prompt.imageTokens,
        }),
      onToken: (fresh, tokenId, index) => onEvent({ type: 'token', text: fresh, tokenId, index }),
    })
    const rest = text.finish()
    if (rest) onEvent({ type: 'token', text: rest, tokenId: tokenIds.at(-1) ?? 0, index: tokenIds.length })
    const ended = performance.now()
    const first = firstTokenAt ?? ended
    const decodeMs = ended - first
    return {
      text: text.value,
      finish,
      tokenIds,
      // Signed: pictures of checkpoints without an <image> token are -200, as their projects have it.
      promptTokenIds: Array.from(new Int32Array(prompt.ids.buffer)),
      promptTokens: prompt.ids.length,
      imageTokens: prompt.imageTokens,
      reusedTokens,
      prefillMs: first - started,
      decodeMs,
      // The first token belongs to the prompt's time.
      tokensPerSecond: tokenIds.length > 1 ? ((tokenIds.length - 1) / decodeMs) * 1000 : 0,
    }
  }

  /** Tokenises a conversation and encodes the pictures that are not encoded yet. */
  private async prepare(
    model: ChatModel,
    request: Pick<AskRequest, 'messages' | 'raw'>,
    onEvent: (e: AskEvent) => void,
    signal: AbortSignal,
  ): Promise<Prompt> {
    const { tokenizer, images } = model
    const inputs = imagesOf(request)
    if (inputs.length && !images) {
      throw new ImageError(
        'ask: this model reads text only. Remove the pictures or load a vision-language model.',
      )
    }
    const ids = request.raw
      ? tokenizer.encode(request.raw.prompt)
      : tokenizer.chat(
          request.messages.map(({ role, text, images: pictures }) => ({
            role,
            text,
            images: pictures?.length ?? 0,
          })),
        ).ids
    images?.trim(new Set(inputs.map(({ id }) => id)))
    const encoded: PromptImage[] = []
    for (const [i, { id, blob }] of inputs.entries()) {
      onEvent({ type: 'encoding', image: i, images: inputs.length, cached: images!.has(id) })
      encoded.push(await images!.encode(id, async () => new Uint8Array(await blob.arrayBuffer()), signal))
    }
    return buildPrompt(ids, model.opened.blueprint.vision?.imageTokenId, encoded)
  }

  /** Repositories a model refers to lie where it lies; the token goes along, as both are on one endpoint. */
  private othersOf(source: ModelSource, { base }: LoadOptions): OtherSources {
    const hub =
      source.kind === 'hub'
        ? {
            ...(source.endpoint !== undefined && { endpoint: source.endpoint }),
            ...(source.token !== undefined && { token: source.token }),
          }
        : {}
    return { base: base && openSource(base), resolve: (repo) => hubSource({ repo, ...hub }) }
  }

  private completed({ base, resolve }: OtherSources): OtherSources {
    return {
      base,
      resolve: this.host.resolveRepository ?? resolve ?? ((repo) => hubSource({ repo })),
    }
  }

  private requireModel(): ChatModel {
    if (!this.model) throw new ConfigError('ask: no model is loaded. Load one first.')
    return this.model
  }

  /** Runs one thing at a time, in the order asked. */
  private exclusively<T>(run: () => Promise<T>): Promise<T> {
    const next = this.turn.then(run, run)
    this.turn = next.catch(() => {})
    return next
  }

  private open(): Promise<{ gpu: Gpu; report: DeviceReport }> {
    const opening = (this.device ??= this.openDevice())
    opening.catch(() => {
      if (this.device === opening) this.device = undefined
    })
    return opening
  }

  private async openDevice() {
    const gpu = await openGpu(this.host.gpu, this.host.restrict)
    void gpu.lost.then((error) => {
      this.device = undefined
      this.model = undefined
      for (const tell of this.watchers) tell({ type: 'device-lost', reason: 'lost', message: error.message })
    })
    const { caps, adapter } = gpu
    const { limits } = gpu.device
    const test = await selfTest(gpu)
    const failed = test.checks.filter(({ passed }) => !passed).map(({ name }) => name)
    const report: DeviceReport = {
      ok: test.passed,
      ...(!test.passed && {
        problem: {
          name: 'SelfTestError',
          message:
            `self-test: this device computes wrong values (${failed.join(', ')}). Answers would be nonsense. ` +
            'Update the graphics driver or try another browser.',
        },
      }),
      adapter,
      isSoftware: caps.isSoftware,
      features: {
        shaderF16: caps.shaderF16,
        subgroups: caps.subgroups !== undefined,
        timestampQuery: caps.timestampQuery,
      },
      limits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      },
      selfTest: test,
    }
    return { gpu, report }
  }

  /** The device, refused when it computes nonsense. */
  private async usable() {
    const opened = await this.open()
    const { problem } = opened.report
    if (problem) throw new SelfTestError(problem.message)
    return opened
  }

  private dropModel(): void {
    this.model?.destroy()
    this.model = undefined
  }
}

const imagesOf = (request: Pick<AskRequest, 'messages' | 'raw'>): ImageInput[] =>
  request.raw ? request.raw.images : request.messages.flatMap(({ images }) => images ?? [])

const emptyReply = (ms: number): Reply => ({
  text: '',
  finish: 'aborted',
  tokenIds: [],
  promptTokenIds: [],
  promptTokens: 0,
  imageTokens: 0,
  reusedTokens: 0,
  prefillMs: ms,
  decodeMs: 0,
  tokensPerSecond: 0,
})

function describePlan(opened: OpenedModel, gpu: Gpu, options: LoadOptions): ModelPlan {
  const plan = planMemory(opened, gpu.caps, options)
  const { blueprint, source } = opened
  const files = filesToFetch(opened)
  return {
    model: source.name,
    architecture: blueprint.architecture,
    dtype: plan.dtype,
    files,
    downloadBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    gpuBytes: plan.gpuBytes,
    fits: plan.fits,
    ...(plan.advice !== undefined && { advice: plan.advice }),
    contextLength: plan.contextLength,
    imageTokens: blueprint.vision?.imageTokens ?? 0,
    parameters: plan.parameters,
  }
}

function describeModel({ opened, plan, peakHostBytes }: ChatModel, gpu: Gpu, loadMs: number): ModelInfo {
  const { blueprint, source } = opened
  return {
    model: source.name,
    architecture: blueprint.architecture,
    dtype: plan.dtype,
    parameters: plan.parameters,
    contextLength: plan.contextLength,
    imageTokens: blueprint.vision?.imageTokens ?? 0,
    acceptsImages: blueprint.vision !== undefined,
    gpuBytes: gpu.allocatedBytes,
    peakHostBytes,
    loadMs,
  }
}
