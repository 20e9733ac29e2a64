/**
 * The contract between a page (or the command line) and the engine. Types only: every argument and result is
 * structured-cloneable, so the same calls cross a Worker boundary or stay in one thread.
 *
 * Errors: comlink carries an error's name and message, so the class name is the discriminant
 * (see `ErrorName`) and the message says what was expected, what came and what to do.
 */

/** How weights are held on the GPU. `auto` keeps 16-bit checkpoints as they are and goes smaller only to fit. */
export type WeightDtype = 'auto' | 'f32' | 'f16' | 'q8' | 'q4'

/** Where a model is: a checkpoint that is loaded here, or a server that answers. */
export type ModelSource = CheckpointLocation | EndpointLocation

/** Where a checkpoint's files come from. */
export type CheckpointLocation =
  /** A Hugging Face repository, `owner/name`. The token is sent to the endpoint's host and nowhere else. */
  | { kind: 'hub'; repo: string; revision?: string; endpoint?: string; token?: string }
  /** Any folder served over HTTP that holds config.json, tokenizer.json and the weights. */
  | { kind: 'url'; baseUrl: string }
  /** Files picked or dropped by the visitor; `path` is relative to the checkpoint's folder. */
  | { kind: 'files'; name: string; files: { path: string; file: File }[] }

/** A model on a server that speaks OpenAI's chat completions. Everything asked goes there, pictures included. */
export interface EndpointLocation {
  kind: 'endpoint'
  /** What `/chat/completions` follows, such as `http://localhost:8000/v1`. */
  baseUrl: string
  /** As the server names it; may be left out where it serves one. */
  model?: string
  /** Sent to that server alone, as a bearer token. */
  apiKey?: string
}

export interface DeviceReport {
  /** False when answers cannot be trusted or given; `problem` then says why and what to do. */
  ok: boolean
  problem?: { name: ErrorName; message: string }
  adapter: { vendor: string; architecture: string; description: string }
  /** True for CPU implementations (SwiftShader, llvmpipe). */
  isSoftware: boolean
  features: { shaderF16: boolean; subgroups: boolean; timestampQuery: boolean }
  limits: {
    maxBufferSize: number
    maxStorageBufferBindingSize: number
    maxComputeWorkgroupStorageSize: number
    maxComputeInvocationsPerWorkgroup: number
    maxStorageBuffersPerShaderStage: number
  }
  /** The known-answer test every kernel family ran on this device. */
  selfTest?: {
    passed: boolean
    checks: { name: string; maxError: number; tolerance: number; passed: boolean }[]
    ms: number
  }
}

export interface LoadOptions {
  dtype: WeightDtype
  /** Longest conversation in tokens the KV cache is allocated for; default: the model's own limit, or 4096 if smaller. */
  contextLength?: number
  /** Field name of a chat template (`vicuna_v1`, `chatml` ...) for checkpoints that bring none. */
  template?: string
  /** The language model an adapter (a connector alone) was trained on. */
  base?: CheckpointLocation
  /**
   * GPU memory the model may take, in bytes. Vision towers that do not fit beside the rest are fetched for each question
   * with new pictures and freed behind it. Default: 6 GB for q8 and q4, else what the device is taken to have.
   */
  memoryBytes?: number
}

/** What loading would take, known from config.json and the file listing before any weight is downloaded. */
export interface ModelPlan {
  model: string
  architecture: string
  dtype: Exclude<WeightDtype, 'auto'>
  /** Sizes of every file that would be fetched, in bytes. */
  files: { path: string; sizeBytes: number }[]
  downloadBytes: number
  gpuBytes: {
    vision: number
    connector: number
    language: number
    kvCache: number
    activations: number
    total: number
  }
  /** The vision towers, in order; empty for a text-only model. */
  towers: {
    name: string
    parameters: number
    gpuBytes: number
    /** Bytes read for it: once, or for each question with new pictures where it is not resident. */
    fileBytes: number
    /** Stays on the GPU. `gpuBytes.vision` counts those that do and the largest of the others. */
    resident: boolean
  }[]
  /** Judged against the device's limits; browsers do not tell free GPU memory, so this is an estimate. */
  fits: boolean
  /** Where it does not fit or is tight: what to do, with numbers. */
  advice?: string
  contextLength: number
  imageTokens: number
  parameters: number
}

export type LoadProgress =
  | { phase: 'config'; file: string }
  | {
      phase: 'weights'
      file: string
      fileIndex: number
      fileCount: number
      fileDoneBytes: number
      fileTotalBytes: number
      doneBytes: number
      totalBytes: number
      bytesPerSecond: number
      secondsLeft: number
    }
  | { phase: 'compile'; done: number; total: number }
  | { phase: 'ready' }

/** A model that answers. What a server does not tell of its own is left out. */
export interface ModelInfo {
  model: string
  /** Host and port that answer, and that get all that is asked; undefined where the model runs on this device. */
  server?: string
  architecture?: string
  dtype?: Exclude<WeightDtype, 'auto'>
  parameters?: number
  contextLength?: number
  /** Prompt tokens one picture takes; 0 for a text-only model. */
  imageTokens?: number
  /** A server tells only when it is given one. */
  acceptsImages: boolean
  /** Vision towers whose shares `look` can tell; empty where a model has one, or does not weigh them. */
  towers: string[]
  gpuBytes: number
  peakHostBytes: number
  loadMs: number
  /** The files weights were read from; `sha256` is there where it was known and the bytes were found to have it. */
  files: { source: string; path: string; sha256?: string }[]
  /** What a reader may want to know about how it runs, such as an encoder that does not run on the GPU. */
  notes: string[]
}

/** A model that runs on this device. */
export interface LocalModelInfo extends ModelInfo {
  server?: undefined
  architecture: string
  dtype: Exclude<WeightDtype, 'auto'>
  parameters: number
  contextLength: number
  imageTokens: number
}

export interface ImageInput {
  /** Stable identity (a hash or uuid): a picture is encoded once for each id. */
  id: string
  /** PNG, JPEG, WebP or GIF. A Blob is cloned by reference, so resending a chat copies no pixels. */
  blob: Blob
}

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  text: string
  images?: ImageInput[]
}

export interface SamplingOptions {
  /** 0 is greedy. */
  temperature: number
  topP: number
  /** 0 keeps all tokens. */
  topK: number
  /** 1 is off. */
  repetitionPenalty: number
  seed: number
}

export interface AskRequest {
  /** The whole conversation, the last message being the user's. The engine reuses the KV cache of the shared prefix. */
  messages: ChatMessage[]
  /** Instead of messages: a prompt taken verbatim, each `<image>` in it consuming the next image. */
  raw?: { prompt: string; images: ImageInput[] }
  sampling: SamplingOptions
  maxNewTokens: number
  /** Text that ends the reply; it is not part of it. */
  stop?: string[]
  /** Times every kernel, which takes longer; the reply then has a `profile`. */
  profile?: boolean
}

export type AskEvent =
  /**
   * Pictures are looked at: `cached` of the question's `images` were encoded before, and `share` of the work on the others
   * is done, 0 to 1. Told when it begins and before each batch of pictures that a vision tower sees at once.
   */
  | { type: 'encoding'; images: number; cached: number; share: number }
  /** A vision tower that does not stay on the GPU is being fetched for all pictures that are new. */
  | {
      type: 'tower'
      tower: number
      towers: number
      name: string
      doneBytes: number
      totalBytes: number
      /** All bytes so far were kept on this device from an earlier question. */
      cached: boolean
    }
  /**
   * The GPU was lost under the answer, which was begun again and takes another way: what was told of its text is void.
   * Where it takes the same way, its tokens go on from those told.
   */
  | { type: 'restart' }
  /** Something about the answer that the reader should know. */
  | { type: 'notice'; message: string }
  | { type: 'prefill'; promptTokens: number; reusedTokens: number; imageTokens: number }
  /** Whole characters only: bytes of an unfinished character are held back. */
  | {
      type: 'token'
      text: string
      /** None of a server, whose pieces of text need not be tokens. */
      tokenId?: number
      index: number
    }

export type FinishReason =
  /** An end-of-sequence token or a stop string. */
  | 'stop'
  /** maxNewTokens reached. */
  | 'length'
  /** The context is full. */
  | 'context'
  | 'aborted'

/** An answer. What a server does not tell of its own is left out. */
export interface Reply {
  text: string
  finish: FinishReason
  /** Those that were generated, including the end token if one came. */
  generatedTokens?: number
  /** Their ids. */
  tokenIds?: number[]
  promptTokenIds?: number[]
  promptTokens?: number
  imageTokens?: number
  /** Prompt tokens whose keys and values were already cached from earlier turns. */
  reusedTokens?: number
  /** From the request to the first token, image encoding included, in milliseconds. */
  prefillMs: number
  decodeMs: number
  /** 0 where it cannot be told. */
  tokensPerSecond: number
  /** Where it was asked for, of a model that runs on this device. */
  profile?: Profile
}

/** An answer of a model that runs on this device. */
export interface LocalReply extends Reply {
  generatedTokens: number
  tokenIds: number[]
  promptTokenIds: number[]
  promptTokens: number
  imageTokens: number
  reusedTokens: number
}

/** Time of all dispatches of one kernel. */
export interface KernelTime {
  kernel: string
  dispatches: number
  ms: number
  /** Multiply-adds times two that were declared; 0 for kernels that declare none. */
  flops: number
}

/** One phase of an answer: pictures, the prompt as far as it was not cached up to the first token, the tokens after it. */
export interface ProfilePhase {
  phase: 'encode' | 'prompt' | 'decode'
  /** Pictures, prompts (one) or tokens that `kernels` covers. */
  steps: number
  /** All of the phase by the clock, what the host did included. */
  wallMs: number
  /** Slowest first. */
  kernels: KernelTime[]
}

/** Where an answer's time went. */
export interface Profile {
  /**
   * `timestamps`: the device's own, around every dispatch. `waits`: the device has none, so dispatches were made again one
   * by one, each timed to its end; shares are sound, sums are too large, and of long answers the first tokens are covered.
   */
  method: 'timestamps' | 'waits'
  /** Those that dispatched anything: a picture that is known is not encoded again. */
  phases: ProfilePhase[]
}

/** What to look into after a reply. */
export type LookRequest =
  /** Where the model looked when it chose these of the last reply's `tokenIds`, by their index; averaged, as for a word. */
  | { kind: 'word'; tokens: number[] }
  /** How much each vision tower gives to each cell of one of the last prompt's pictures, counted from 0. */
  | { kind: 'towers'; image: number }

/** A grid of cells on a picture. */
export interface LookImage {
  /** Number of the picture among those of the last prompt. */
  image: number
  rows: number
  columns: number
  /** Where the grid lies, in fractions of the picture's width and height; reaches outside 0 to 1 where it covers padding. */
  region: { left: number; top: number; right: number; bottom: number }
  /**
   * Row by row. Of a word: attention to each cell, averaged over tokens, layers and heads. Of towers: shares that sum to
   * 1 for each cell, [rows * columns, towers].
   */
  values: Float32Array
  /** Of a word: how much of all its attention fell on the picture, 0 to 1. */
  share?: number
  /** Of towers: their names. */
  towers?: string[]
}

export interface Look {
  images: LookImage[]
}

/** Bytes of the engine's GPU buffers, as it asked for them. */
export interface GpuMemory {
  /** Of every buffer that is alive. */
  allocatedBytes: number
  /** The most there were at once. */
  peakBytes: number
}

/** A model with files on this device. */
export interface StoredModel {
  /** Address of its folder; names it in calls. */
  id: string
  /** As `ModelSource` names it, with the revision. */
  name: string
  /** Bytes of its files that are on this device, those of an unfinished download included. */
  storedBytes: number
  /** Bytes of these files once they are whole. Files that several models share are counted with each. */
  totalBytes: number
  /** Milliseconds since 1970. */
  lastUsed: number
}

export type EngineEvent =
  /**
   * The GPU went away, and everything on it. `recovers`: the engine brings the model back by itself and goes on with what
   * it was at, calls included; otherwise the next `load` opens the GPU anew.
   */
  | { type: 'device-lost'; reason: string; message: string; recovers: boolean }
  /** An attempt to bring the model back begins, or goes on with this progress. */
  | { type: 'recovering'; attempt: number; attempts: number; progress?: LoadProgress }
  /** The model is back. */
  | { type: 'ready'; model: ModelInfo }
  /** The engine has given up, or was told to by `cancelLoad`. The next `load` tries again. */
  | { type: 'not-recovered'; name: ErrorName; message: string }

/** What is kept of models on this device. */
export interface StorageApi {
  /** Models with files on this device, the most recently used first. */
  storedModels(): Promise<StoredModel[]>
  /** Removes a model's files from this device, but those that other models use. A loaded model goes on. */
  removeStored(id: string): Promise<void>
  /**
   * Hashes a model's files on this device anew. Resolves with the paths of those that are damaged, which are removed: the
   * next load fetches them. Rejects with AbortError once `cancelVerify` is called.
   */
  verifyStored(id: string, onProgress: (doneBytes: number, totalBytes: number) => void): Promise<string[]>
  cancelVerify(): Promise<void>
}

export interface EngineApi extends StorageApi {
  /** Opens the GPU (once) and runs the known-answer test. Never throws for an unfit device: the report says so. */
  probe(): Promise<DeviceReport>
  /** Rejects with ConfigError for a model on a server, which takes nothing here. */
  plan(source: ModelSource, options: LoadOptions): Promise<ModelPlan>
  /** Replaces the loaded model. Rejects with AbortError when cancelled. */
  load(source: ModelSource, options: LoadOptions, onProgress: (p: LoadProgress) => void): Promise<ModelInfo>
  cancelLoad(): Promise<void>
  /** Resolves when the reply is complete or stopped. One reply at a time: a second call waits for the first. */
  ask(request: AskRequest, onEvent: (e: AskEvent) => void): Promise<Reply>
  /** Ends the running reply at once, and those that wait; each `ask` resolves with what was said so far. */
  abort(): Promise<void>
  /**
   * Tells where the model looked for its last reply. Changes nothing; costs about a token for each token asked about,
   * the prompt's last rows for the first one. Rejects with ConfigError once another reply or model has begun, and for
   * one on a server, which does not tell.
   */
  look(request: LookRequest): Promise<Look>
  unload(): Promise<void>
  /** Frees the model and the device, as `unload` does what runs ends first. The next call opens the device anew. */
  close(): Promise<void>
  /** What the GPU holds for this engine; zeros where no device is open. */
  gpuMemory(): Promise<GpuMemory>
  /** Tells about events that belong to no call. */
  watch(onEvent: (e: EngineEvent) => void): Promise<void>
  /** Destroys the device as a driver reset would, so that recovery can be tested. */
  loseDevice(): Promise<void>
}

/** The classes an error's `name` can take. */
export type ErrorName =
  | 'UnsupportedDeviceError'
  | 'SelfTestError'
  | 'DeviceLostError'
  | 'OutOfMemoryError'
  | 'ShaderError'
  | 'ShapeError'
  | 'CheckpointError'
  | 'ConfigError'
  | 'NetworkError'
  | 'EndpointError'
  | 'ImageError'
  | 'TemplateError'
  | 'ContextOverflowError'
  | 'DatasetError'
  | 'TrainingError'
  | 'AbortError'
