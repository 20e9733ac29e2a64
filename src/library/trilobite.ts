import type {
  AskRequest,
  ChatMessage,
  DeviceReport,
  EndpointLocation,
  ErrorName,
  GpuMemory,
  LoadOptions,
  LoadProgress,
  Look,
  LookRequest,
  ModelInfo,
  ModelPlan,
  ModelSource,
  SamplingOptions,
  StoredModel,
} from '../worker/api'
import { withEndpoints } from '../remote/engine-switch'
import type { EngineClient, TrainingApi } from '../worker/client'
import { emptyReply } from '../worker/empty-reply'
import type { DatasetSource, TrainingRequest } from '../worker/training-api'
import { Answer } from './answer'
import { absoluteData, modelSource } from './source'
import { TrainingRun } from './training-run'
import { Turns } from './turns'

/** Starts an engine; told when its worker stops by an error nobody caught. */
export type Connect = (onCrash: (error: Error) => void) => EngineClient

/** An error of the engine: `name` tells the kind, `message` what to do. */
export class TrilobiteError extends Error {
  constructor(
    override readonly name: ErrorName,
    message: string,
  ) {
    super(message)
  }
}

export interface OpenOptions {
  readonly onCrash?: (error: Error) => void
  /** Starts another engine than the one that comes with this library. */
  readonly connect?: Connect
}

export interface LoadModelOptions extends Partial<LoadOptions> {
  /** Cancels the download; `load` then rejects with AbortError. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
}

export interface AskOptions {
  readonly sampling?: Partial<SamplingOptions>
  /** Default: 512. */
  readonly maxNewTokens?: number
  /** Text that ends the reply; it is not part of it. */
  readonly stop?: readonly string[]
  /** Stops this answer, which keeps what was said so far. One that waits for its turn is never asked: its reply is empty. */
  readonly signal?: AbortSignal
}

/** What is asked: a conversation whose last message is the user's, or a single question with pictures. */
export type Question = string | { text: string; images?: readonly Blob[] } | readonly ChatMessage[]

const GREEDY: SamplingOptions = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 }

/** Trilobite without a page: one engine in a worker of its own, at most one model, one answer at a time. */
export class Trilobite {
  /** Everything else about training connectors: recipes, data, plans, the list of runs, exports, the gradient check. */
  readonly training: TrainingApi
  private readonly turns: Turns

  private constructor(
    private readonly client: EngineClient,
    /** What the GPU is and can do; after `connect`, that it was not opened. */
    readonly device: DeviceReport,
  ) {
    this.training = client
    this.turns = new Turns(client)
  }

  /**
   * Starts the engine and tests the GPU; nothing is downloaded. `onCrash` is told when the worker stops by an error nobody
   * caught: open another one then.
   *
   * Throws: TrilobiteError (UnsupportedDeviceError, SelfTestError) where this browser or GPU cannot serve.
   */
  static async open({ connect, onCrash = () => {} }: OpenOptions = {}): Promise<Trilobite> {
    const client = await connected(connect, onCrash)
    const device = await client.probe()
    if (device.ok) return new Trilobite(client, device)
    client.dispose()
    const { name, message } = device.problem ?? {
      name: 'UnsupportedDeviceError',
      message: 'this GPU cannot be used',
    }
    throw new TrilobiteError(name, message)
  }

  /**
   * Takes a model on a server that speaks OpenAI's chat completions: questions and pictures are sent there. No GPU is
   * opened, and none is needed, before a checkpoint is loaded on this device in its place.
   *
   * Throws: EndpointError where the server cannot be asked.
   */
  static async connect(
    server: Omit<EndpointLocation, 'kind'>,
    { connect, onCrash = () => {}, signal }: OpenOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<Trilobite> {
    const client = await connected(connect, onCrash)
    const trilobite = new Trilobite(client, UNOPENED)
    try {
      await trilobite.load({ kind: 'endpoint', ...server }, { ...(signal && { signal }) })
      return trilobite
    } catch (error) {
      client.dispose()
      throw error
    }
  }

  /** What this browser's GPU is and whether it can serve, without keeping an engine. Never throws for an unfit GPU. */
  static async probe({ connect, onCrash = () => {} }: OpenOptions = {}): Promise<DeviceReport> {
    const client = await connected(connect, onCrash)
    try {
      return await client.probe()
    } finally {
      client.dispose()
    }
  }

  /** What loading a model would take, known before any weight is downloaded. */
  plan(model: string | ModelSource, options: Partial<LoadOptions> = {}): Promise<ModelPlan> {
    return this.client.plan(modelSource(model), { dtype: 'auto', ...options })
  }

  /** Replaces the loaded model; answers that run or wait end as by `abort`. Rejects with AbortError when cancelled. */
  async load(
    model: string | ModelSource,
    { signal, onProgress, ...options }: LoadModelOptions = {},
  ): Promise<ModelInfo> {
    // An engine that cannot cancel it fails the load itself.
    const cancel = () => void this.client.cancelLoad().catch(() => {})
    if (signal?.aborted) throw new TrilobiteError('AbortError', 'load: cancelled before it began.')
    const source = modelSource(model)
    signal?.addEventListener('abort', cancel, { once: true })
    this.turns.stopWaiting()
    try {
      return await this.client.load(source, { dtype: 'auto', ...options }, (progress) =>
        onProgress?.(progress),
      )
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /**
   * Answers a question, after those asked before: iterate the answer for its events, or await its `reply`.
   *
   * Each picture of a single question is one of its own; messages of a chat name theirs, so that none is encoded twice.
   */
  ask(question: Question, options: AskOptions = {}): Answer {
    const { signal, sampling, stop, maxNewTokens = 512 } = options
    const request: AskRequest = {
      messages: messagesOf(question),
      sampling: { ...GREEDY, ...sampling },
      maxNewTokens,
      ...(stop && { stop: [...stop] }),
    }
    if (signal?.aborted)
      return new Answer(
        async () => emptyReply(0),
        async () => {},
      )
    const answer = new Answer(
      (onEvent) => this.turns.ask(request, onEvent),
      () => this.turns.stop(request),
    )
    // An engine that cannot stop it fails the answer itself.
    const cancel = () => void answer.stop().catch(() => {})
    signal?.addEventListener('abort', cancel, { once: true })
    const forget = () => signal?.removeEventListener('abort', cancel)
    answer.reply.then(forget, forget)
    return answer
  }

  /** Ends the running answer at once, and those that wait; what was said so far is kept. */
  abort(): Promise<void> {
    this.turns.stopWaiting()
    return this.client.abort()
  }

  /** Where the model looked for its last reply. Rejects with ConfigError where a server answered. */
  look(request: LookRequest): Promise<Look> {
    return this.client.look(request)
  }

  /** Models with files on this device, the most recently used first. */
  storedModels(): Promise<StoredModel[]> {
    return this.client.storedModels()
  }

  /** Removes a model's files from this device, but those that other models use. A loaded model goes on. */
  removeStored(id: string): Promise<void> {
    return this.client.removeStored(id)
  }

  /**
   * Trains the loaded model's connector: iterate the run for its events, or await its `result`. Questions may be asked
   * meanwhile; they are answered between steps.
   */
  train(request: TrainingRequest): TrainingRun {
    const placed = { ...request, dataset: absoluteData(request.dataset) }
    return new TrainingRun(
      (onEvent) => this.client.train(placed, onEvent),
      (action) => this.client.controlTraining(action),
    )
  }

  /** Goes on with a run from its last checkpoint, on the same data, to the same numbers. */
  resume(run: string, dataset: DatasetSource): TrainingRun {
    const placed = absoluteData(dataset)
    return new TrainingRun(
      (onEvent) => this.client.resumeTraining(run, placed, onEvent),
      (action) => this.client.controlTraining(action),
    )
  }

  /** Bytes the GPU holds for this engine. */
  gpuMemory(): Promise<GpuMemory> {
    return this.client.gpuMemory()
  }

  /** Frees the model; the engine stays. Answers that run or wait end as by `abort`. */
  unload(): Promise<void> {
    this.turns.stopWaiting()
    return this.client.unload()
  }

  /** Ends the engine and frees everything it held, GPU memory included; what goes on or waits rejects with AbortError. */
  close(): void {
    this.turns.rejectWaiting(
      new TrilobiteError(
        'AbortError',
        "ask: expected the engine to stay open until this question's turn, but it was closed. Open another one.",
      ),
    )
    this.client.dispose()
  }
}

/** The engine, with servers beside it. */
async function connected(connect: Connect | undefined, onCrash: (error: Error) => void) {
  return withEndpoints(connect ?? (await import('./connect')).connectInline)(onCrash)
}

/** Of a GPU that nobody needs. */
const UNOPENED: DeviceReport = {
  ok: false,
  problem: {
    name: 'UnsupportedDeviceError',
    message: 'device: it was not opened, because a server answers. Open another Trilobite to test it.',
  },
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

function messagesOf(question: Question): ChatMessage[] {
  if (typeof question === 'string') return [{ role: 'user', text: question }]
  if (!('text' in question)) return [...question]
  const images = (question.images ?? []).map((blob) => ({ id: crypto.randomUUID(), blob }))
  return [{ role: 'user', text: question.text, ...(images.length && { images }) }]
}
