import {
  DeviceLostError,
  lossOr,
  openGpu,
  OutOfMemoryError,
  Profiler,
  selfTest,
  SelfTestError,
  TrilobiteError,
  UnsupportedDeviceError,
  withFallbacks,
  type Capabilities,
  type Gpu,
  type Tuning,
} from '../kernels'
import { ChatModel } from '../model/chat-model'
import { openModel } from '../model/checkpoint-files'
import type { StartHash } from '../model/checkpoint/hasher'
import { hubSource } from '../model/checkpoint/hub-source'
import { openSource } from '../model/checkpoint/open-source'
import type { CheckpointSource } from '../model/checkpoint/source'
import { AbortError, ConfigError } from '../model/errors'
import { generate } from '../model/generate'
import { createCodecs, type CodecLoader } from '../model/image/codecs'
import type { Turn } from '../model/look'
import { memoryAdvice } from '../model/memory-advice'
import { planMemory } from '../model/plan'
import type { OnnxLoader } from '../model/onnx/runtime'
import type { Prompt } from '../model/prompt'
import type { ResolveRepository } from '../model/repositories'
import type { OpenByteStore } from '../model/file-keeper'
import type { ModelIndex } from '../model/kept-models'
import { checkSampling } from '../model/sampler'
import { TextStream } from '../model/text-stream'
import { Runs } from '../model/train/run-state'
import { MemoryRuns, type RunFiles } from '../model/train/run-store'
import type {
  AskEvent,
  AskRequest,
  CheckpointLocation,
  DeviceReport,
  EngineApi,
  EngineEvent,
  GpuMemory,
  LoadOptions,
  LoadProgress,
  LocalModelInfo,
  LocalReply,
  Look,
  LookRequest,
  ModelPlan,
  ModelSource,
  StoredModel,
} from './api'
import { debugForward, type DebugTensors } from './debug-forward'
import { describeModel, describePlan } from './descriptions'
import { reportDevice, unfitDevice } from './device-report'
import { describeProfile } from './describe-profile'
import { emptyReply } from './empty-reply'
import { EngineStored } from './engine-stored'
import { EngineTuning, type TuningOptions } from './engine-tuning'
import { look } from './look'
import { preparePrompt, type Question } from './prepare-prompt'
import { Recovery, type RecoveryOptions } from './recovery'
import { ToldTokens } from './told-tokens'
import { EngineTraining, type TrainingHost } from './training'

export type { Tuning } from '../kernels'
export type { ResolveRepository } from '../model/repositories'
export type { DebugTensors } from './debug-forward'

export interface EngineHost {
  /** `navigator.gpu`, or Dawn's in Node; undefined where there is none. */
  readonly gpu: GPU | undefined
  /** Gives the compiled picture decoders. */
  readonly imageCodecs: CodecLoader
  /** Capabilities taken away, to try the paths of lesser devices. */
  readonly restrict?: Partial<Capabilities>
  /** Gives the device; default: opens one on `gpu`. */
  readonly openDevice?: () => Promise<Gpu>
  /** The known-answer test run on a fresh device. Default: the kernels' own. */
  readonly selfTest?: typeof selfTest
  /** Gives the engine that runs ONNX encoders, when a model first has one. */
  readonly onnx?: OnnxLoader
  /**
   * Opens where towers that are fetched for each question are kept; asked once for each model that has such towers.
   * Default: nowhere. In Node a model's files are on disk already, or are streamed from the hub for each question.
   */
  readonly modelStore?: OpenByteStore
  /** Where it is remembered which models those files belong to. Default: nowhere, and none can be listed or removed. */
  readonly modelIndex?: ModelIndex
  /** Hashes weight files while they stream. Default: on the engine's own thread. */
  readonly startHash?: StartHash
  /** Opens where training runs are kept. Default: in memory, as long as the engine lives. */
  readonly runs?: () => Promise<RunFiles>
  /** Keeps other tabs from going on with a training run; as TrainingHost.lockRun. Default: nobody else has its files. */
  readonly lockRun?: TrainingHost['lockRun']
  /** As TrainingHost.lockedRuns. */
  readonly lockedRuns?: TrainingHost['lockedRuns']
  /** Opens where features of training pictures are kept; undefined where they are not. Default: nowhere. */
  readonly featureStore?: OpenByteStore
  /** How the fastest kernels are found and kept. Default: measured again by each engine, where there is a GPU. */
  readonly tuning?: TuningOptions
  /** How often and when the model is brought back after its device was lost. */
  readonly recovery?: RecoveryOptions
  /** Finds repositories a checkpoint refers to; default: the hub the checkpoint came from, or Hugging Face. */
  readonly resolveRepository?: ResolveRepository
}

/** Where a checkpoint's base model lies and how repositories that it refers to are found. */
export interface OtherSources {
  base?: CheckpointSource | undefined
  resolve?: ResolveRepository | undefined
}

/** What it takes to load a model, and to load it again. */
interface LoadTarget {
  readonly source: CheckpointSource
  readonly options: LoadOptions
  readonly others: OtherSources
}

/**
 * The engine behind the contract: one device, at most one model, one reply at a time.
 *
 * A lost device frees everything. The engine then opens it anew and brings the model back by itself, and what it was at
 * when that happened begins again; without a model, the next call opens the device.
 */
export class Engine implements EngineApi {
  private device: Promise<{ gpu: Gpu; report: DeviceReport }> | undefined
  private model: ChatModel | undefined
  private loading: AbortController | undefined
  private readonly stored: EngineStored
  /** Ends what is under way on a device that is gone. */
  private readonly underway = new Set<AbortController>()
  private readonly recovery: Recovery<LoadTarget>
  /** Of the running reply and those that wait. */
  private readonly answering = new Set<AbortController>()
  /** Devices that were not lost but let go. */
  private readonly closed = new WeakSet<Gpu>()
  /** The last reply, as long as the model holds its keys and values. */
  private lastTurn: Turn | undefined
  private turn: Promise<unknown> = Promise.resolve()
  /** Begun, or waiting for their turn. */
  private tasks = 0
  private readonly watchers: ((event: EngineEvent) => void)[] = []
  private readonly codecs
  private runs: Promise<Runs> | undefined
  readonly training: EngineTraining
  private readonly tuning: EngineTuning

  constructor(private readonly host: EngineHost) {
    this.codecs = createCodecs(host.imageCodecs)
    this.stored = new EngineStored(host)
    this.tuning = new EngineTuning({
      ...host.tuning,
      model: () => this.model,
      whenIdle: (task) => {
        if (this.tasks === 0) this.turn = this.turn.then(task)
      },
    })
    this.recovery = new Recovery(
      {
        load: (target, signal, onProgress) => this.loadOnce(target, signal, onProgress),
        tell: (event) => this.tell(event),
        onGivenUp: () => this.training.modelGone(),
      },
      host.recovery,
    )
    this.training = new EngineTraining({
      codecs: this.codecs,
      model: (call) => this.requireModel(call),
      gpu: async () => (await this.open()).gpu,
      exclusively: (run) => this.exclusively(run),
      throughLosses: (run) => this.exclusively(() => this.throughLosses(run)),
      onAdvanced: () => this.recovery.succeeded(),
      recovered: () => this.recovered(),
      runs: () => this.openRuns(),
      featureStore: () => host.featureStore?.().catch(() => undefined) ?? Promise.resolve(undefined),
      lockRun: host.lockRun,
      lockedRuns: host.lockedRuns,
      onConversationLost: () => {
        this.lastTurn = undefined
      },
    })
  }

  /** The model that answers, once loaded. */
  get loaded(): ChatModel | undefined {
    return this.model
  }

  async probe(): Promise<DeviceReport> {
    try {
      return (await this.open()).report
    } catch (error) {
      return unfitDevice(error as Error)
    }
  }

  async plan(source: ModelSource, options: LoadOptions): Promise<ModelPlan> {
    const checkpoint = checkpointOf(source)
    return this.planFrom(openSource(checkpoint), options, this.othersOf(checkpoint, options))
  }

  async planFrom(
    source: CheckpointSource,
    options: LoadOptions,
    others: OtherSources = {},
  ): Promise<ModelPlan> {
    const { gpu } = await this.open()
    return describePlan(await openModel(source, this.completed(others)), gpu, options)
  }

  async load(
    source: ModelSource,
    options: LoadOptions,
    onProgress: (p: LoadProgress) => void,
  ): Promise<LocalModelInfo> {
    const checkpoint = checkpointOf(source)
    return this.loadFrom(openSource(checkpoint), options, onProgress, this.othersOf(checkpoint, options))
  }

  /** `load` for any byte source, such as a disk folder in Node. */
  async loadFrom(
    source: CheckpointSource,
    options: LoadOptions,
    onProgress: (p: LoadProgress) => void,
    others: OtherSources = {},
  ): Promise<LocalModelInfo> {
    this.loading?.abort()
    this.recovery.stop()
    this.stopAnswering()
    const controller = new AbortController()
    this.loading = controller
    const { signal } = controller
    const target = { source, options, others }
    return this.exclusively(async () => {
      try {
        for (;;) {
          try {
            const model = await this.loadOnce(target, signal, onProgress, () => this.dropModel())
            this.recovery.keep(target)
            return model
          } catch (error) {
            if (signal.aborted) throw new AbortError('load: cancelled.')
            if (!(error instanceof DeviceLostError)) throw error
            await this.recovery.attempt(error, signal)
          }
        }
      } finally {
        if (this.loading === controller) this.loading = undefined
        // The model there was before went with its device, and was not replaced.
        if (!this.model && !this.loading)
          this.recovery.start(new DeviceLostError('gpu: the device was lost.'))
      }
    })
  }

  /** Loads a model on the device there is. `onOpened` is called once its files are found to be good. */
  private async loadOnce(
    { source, options, others }: LoadTarget,
    signal: AbortSignal,
    onProgress: (p: LoadProgress) => void,
    onOpened = () => {},
  ): Promise<LocalModelInfo> {
    const started = performance.now()
    return this.untilLost(signal, async (either) => {
      either.throwIfAborted()
      const { gpu } = await this.usable()
      const opened = await openModel(source, {
        ...this.completed(others),
        signal: either,
        onFile: (file) => onProgress({ phase: 'config', file }),
      })
      const plan = planMemory(opened, gpu.caps, options)
      await this.tuning.recall(gpu)
      // Only now: a mistyped name or a damaged header leaves the loaded model as it is.
      onOpened()
      const loading = ChatModel.load(gpu, opened, plan, {
        codecs: this.codecs,
        onnx: this.host.onnx,
        modelStore: this.host.modelStore,
        onKept: (file) => this.stored.note(source, file),
        startHash: this.host.startHash,
        template: options.template,
        signal: either,
        onProgress,
      })
      const model = await loading.catch(async (error: unknown) => {
        if (!(error instanceof OutOfMemoryError)) throw error
        await gpu.settle()
        throw advised(error, memoryAdvice(opened, plan, gpu.caps))
      })
      try {
        either.throwIfAborted()
        this.model = model
        await this.training.modelBack(model)
        gpu.throwIfLost()
      } catch (error) {
        if (this.model === model) this.model = undefined
        model.destroy()
        throw error
      }
      onProgress({ phase: 'ready' })
      return describeModel(model, gpu, performance.now() - started)
    })
  }

  async cancelLoad(): Promise<void> {
    this.recovery.cancel()
    this.loading?.abort()
  }

  ask(request: AskRequest, onEvent: (e: AskEvent) => void): Promise<LocalReply> {
    const controller = new AbortController()
    this.answering.add(controller)
    const { signal } = controller
    const told = new ToldTokens(onEvent)
    const answer = request.profile ? this.profiled.bind(this) : this.answer.bind(this)
    const run = () =>
      this.throughLosses(
        async (either) => {
          const ask = () => answer(request, told.onEvent, either)
          const gpu = this.model?.vlm.gpu
          // A kernel that was not foreseen is compiled when it is needed.
          const reply = await (gpu ? withFallbacks(gpu, ask, () => told.restart()) : ask())
          if (reply.finish === 'aborted' && !signal.aborted) either.throwIfAborted()
          return reply
        },
        { signal, onAgain: () => told.restart() },
      )
    return this.exclusively(run, signal).finally(() => {
      this.answering.delete(controller)
      if (this.tasks === 0) this.tuning.afterReply()
    })
  }

  async abort(): Promise<void> {
    this.stopAnswering()
  }

  look(request: LookRequest): Promise<Look> {
    return this.exclusively(() => look(this.requireModel('look'), this.lastTurn, request))
  }

  async unload(): Promise<void> {
    this.recovery.cancel()
    this.loading?.abort()
    this.stopAnswering()
    await this.exclusively(async () => this.dropModel())
  }

  storedModels(): Promise<StoredModel[]> {
    return this.stored.list()
  }

  removeStored(id: string): Promise<void> {
    return this.stored.remove(id)
  }

  verifyStored(id: string, onProgress: (doneBytes: number, totalBytes: number) => void): Promise<string[]> {
    return this.stored.verify(id, onProgress)
  }

  async cancelVerify(): Promise<void> {
    this.stored.cancelVerify()
  }

  async close(): Promise<void> {
    await this.unload()
    const opening = this.device
    if (!opening) return
    this.device = undefined
    const { gpu } = await opening
    this.closed.add(gpu)
    gpu.destroy()
  }

  /**
   * Measures this device's fastest kernels now, and keeps the result for all engines to come.
   *
   * Throws: UnsupportedDeviceError for an adapter in software, whose kernels are chosen for good.
   */
  tune(): Promise<Tuning> {
    return this.exclusively(async () => {
      const { gpu } = await this.usable()
      if (this.tuning.isTunable(gpu)) return this.tuning.measure(gpu)
      throw new UnsupportedDeviceError(
        `tune: ${gpu.adapter.description} is software, and what suits it is known. Choose a GPU.`,
      )
    })
  }

  async watch(onEvent: (e: EngineEvent) => void): Promise<void> {
    this.watchers.push(onEvent)
  }

  async loseDevice(): Promise<void> {
    const { gpu } = await this.open()
    gpu.device.destroy()
  }

  async gpuMemory(): Promise<GpuMemory> {
    if (!this.device) return { allocatedBytes: 0, peakBytes: 0 }
    const { gpu } = await this.device
    return { allocatedBytes: gpu.allocatedBytes, peakBytes: gpu.peakBytes }
  }

  /** Every tensor a golden case records, for one prompt. */
  debugForward(question: Question): Promise<DebugTensors> {
    return this.exclusively(() => {
      this.lastTurn = undefined
      return debugForward(this.requireModel('debug'), question)
    })
  }

  private async profiled(
    request: AskRequest,
    onEvent: (e: AskEvent) => void,
    signal: AbortSignal,
  ): Promise<LocalReply> {
    const profiler = Profiler.start(this.requireModel('ask').vlm.gpu)
    try {
      const reply = await this.answer(request, onEvent, signal)
      return {
        ...reply,
        profile: describeProfile(await profiler.stop(), profiler.timer !== undefined, reply),
      }
    } finally {
      profiler.abandon()
    }
  }

  private async answer(
    request: AskRequest,
    onEvent: (e: AskEvent) => void,
    signal: AbortSignal,
  ): Promise<LocalReply> {
    const started = performance.now()
    if (signal.aborted) return emptyReply(0)
    const model = this.requireModel('ask')
    this.lastTurn = undefined
    const { vlm, conversation, tokenizer } = model
    const sampling = checkSampling(request.sampling)
    const text = new TextStream(
      (ids) => tokenizer.decode(ids),
      [...(request.stop ?? []), ...tokenizer.stopStrings],
    )
    let prompt: Prompt
    try {
      prompt = await preparePrompt(model, request, onEvent, signal)
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
    this.lastTurn = { prompt, tokenIds, reusedTokens }
    const rest = text.finish()
    if (rest) onEvent({ type: 'token', text: rest, tokenId: tokenIds.at(-1) ?? 0, index: tokenIds.length })
    const ended = performance.now()
    const first = firstTokenAt ?? ended
    const decodeMs = ended - first
    return {
      text: text.value,
      finish,
      generatedTokens: tokenIds.length,
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

  /** Repositories a model refers to lie where it lies; the token goes along, as both are on one endpoint. */
  private othersOf(source: CheckpointLocation, { base }: LoadOptions): OtherSources {
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

  private openRuns(): Promise<Runs> {
    const opening = (this.runs ??= (this.host.runs?.() ?? Promise.resolve(new MemoryRuns())).then(
      (files) => new Runs(files),
    ))
    opening.catch(() => {
      if (this.runs === opening) this.runs = undefined
    })
    return opening
  }

  private stopAnswering(): void {
    for (const controller of this.answering) controller.abort()
  }

  private requireModel(call: string): ChatModel {
    if (this.model) return this.model
    if (this.recovery.failure) throw this.recovery.failure
    throw new ConfigError(
      this.recovery.target
        ? `${call}: the GPU was lost and the model is being loaded again. Try again in a moment.`
        : `${call}: no model is loaded. Load one first.`,
    )
  }

  /** Runs one thing at a time, in the order asked, once the model is back where it was lost or `signal` is aborted. */
  private exclusively<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.tuning.interrupt()
    this.tasks++
    const next = this.turn
      .then(async () => {
        // Nothing may come between the last look and the work.
        while (this.recovery.isRunning && !signal?.aborted) await this.recovery.over(signal)
        return run()
      })
      .catch((error: unknown) => this.explained(error))
      .finally(() => this.tasks--)
    this.turn = next.catch(() => {})
    return next
  }

  /**
   * Runs something that may be run again: where the device is lost under it, it is, as soon as the model is back.
   *
   * Throws: what it throws; DeviceLostError where the model does not come back.
   */
  private async throughLosses<T>(
    run: (signal: AbortSignal) => Promise<T>,
    {
      signal = new AbortController().signal,
      onAgain = () => {},
    }: { signal?: AbortSignal; onAgain?: () => void } = {},
  ): Promise<T> {
    for (;;) {
      while (this.recovery.isRunning && !signal.aborted) await this.recovery.over(signal)
      try {
        const result = await this.untilLost(signal, run)
        this.recovery.succeeded()
        return result
      } catch (error) {
        if (!(error instanceof DeviceLostError) || !this.recovery.target) throw error
        onAgain()
      }
    }
  }

  /** Runs something until the device is lost: whatever it then throws, DeviceLostError is thrown once that was told. */
  private async untilLost<T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const lost = new AbortController()
    this.underway.add(lost)
    const gpu = this.model?.vlm.gpu
    try {
      return await run(AbortSignal.any([signal, lost.signal]))
    } catch (error) {
      if (signal.aborted) throw error
      if (error instanceof DeviceLostError) await soon()
      // What browsers throw of a device that is going comes before its loss is told.
      else if (gpu && !(error instanceof TrilobiteError)) await lossOr(gpu, error)
      throw lost.signal.aborted ? lost.signal.reason : error
    } finally {
      this.underway.delete(lost)
    }
  }

  /** Resolves when a loss that is about to be told was told, and what follows from it is over. */
  private async recovered(): Promise<void> {
    await soon()
    await this.recovery.over()
  }

  /** Puts a device whose memory ran out in order again. Throws: the error, and what would take less. */
  private async explained(error: unknown): Promise<never> {
    const { model } = this
    if (!(error instanceof OutOfMemoryError) || !model) throw error
    const { gpu, arena } = model.vlm
    await gpu.settle()
    arena.trim()
    throw advised(error, memoryAdvice(model.opened, model.plan, gpu.caps))
  }

  private open(): Promise<{ gpu: Gpu; report: DeviceReport }> {
    const opening = (this.device ??= this.openDevice())
    opening.catch(() => {
      if (this.device === opening) this.device = undefined
    })
    return opening
  }

  private async openDevice() {
    const { host } = this
    const gpu = await (host.openDevice ?? (() => openGpu(host.gpu, host.restrict)))()
    void gpu.lost.then((error) => {
      if (!this.closed.has(gpu)) this.lose(error)
    })
    return { gpu, report: await reportDevice(gpu, this.host.selfTest ?? selfTest) }
  }

  private lose(error: DeviceLostError): void {
    const { recovery, loading } = this
    this.device = undefined
    this.model = undefined
    this.lastTurn = undefined
    const wasInUse = loading !== undefined || recovery.target !== undefined
    const recovers = wasInUse && recovery.mayTry
    const { message } = wasInUse && !recovers ? recovery.givenUp(error) : error
    if (recovers && recovery.target) this.training.modelLost()
    else this.training.modelGone()
    for (const lost of this.underway) lost.abort(error)
    this.tell({ type: 'device-lost', reason: 'lost', message, recovers })
    // What is loading begins again by itself.
    if (!loading) recovery.start(error)
  }

  private tell(event: EngineEvent): void {
    for (const tell of this.watchers) tell(event)
  }

  /** The device, refused when it computes nonsense. */
  private async usable() {
    const opened = await this.open()
    const { problem } = opened.report
    if (problem) throw new SelfTestError(problem.message)
    return opened
  }

  private dropModel(): void {
    this.training.modelGone()
    this.recovery.forget()
    this.model?.destroy()
    this.model = undefined
    this.lastTurn = undefined
  }
}

/** Throws: ConfigError for a model on a server, with which this engine has nothing to do. */
function checkpointOf(source: ModelSource): CheckpointLocation {
  if (source.kind !== 'endpoint') return source
  throw new ConfigError(
    'source: expected a checkpoint to compute with, got a server that answers; ask it instead',
  )
}

/** Events of the GPU that are about to come have come. */
const soon = () => new Promise<void>((resolve) => setTimeout(resolve))

const advised = (cause: OutOfMemoryError, advice: string) =>
  new OutOfMemoryError(`${cause.message} ${advice}`, { cause })
