/** What stage 1 is made of, as plain data: it crosses a Worker boundary and is stored with a run. */

/** Rate over the steps of a run, behind its warm-up. */
export type Schedule = 'cosine' | 'linear' | 'constant'

/** How a connector is trained: the settings of one of the original projects, each of which may be changed. */
export interface Recipe {
  readonly name: string
  /** `plain` (picture and caption alone), a chat template's name, or `model` for the checkpoint's own. */
  readonly template: string
  /** What ends a caption of the plain template: the tokenizer's EOS, or the line's end as LLaVA has it. */
  readonly captionEnd: 'eos' | 'newline'
  /** What the connector starts from: the checkpoint's weights, those that chats go through, or new ones. */
  readonly start: 'checkpoint' | 'in-use' | 'fresh'
  /**
   * What is done to pictures that are no squares, LLaVA's image_aspect_ratio: as the model does for a chat, nothing before
   * the tower's own processor, or padding to a square.
   */
  readonly imageAspectRatio: 'model' | 'square' | 'pad'
  readonly learningRate: number
  /** Rate of `vision_query` and of everything named `vision_sampler`; null where it is the learning rate. */
  readonly samplerLearningRate: number | null
  readonly schedule: Schedule
  /** Share of all steps over which the rate rises from zero; the steps are rounded up. */
  readonly warmupRatio: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Decoupled, on matrices and learned rows; biases and norms have none. */
  readonly weightDecay: number
  /** Gradients are scaled down to this norm over all parameters; 0 leaves them as they are. */
  readonly maxGradNorm: number
  /** Samples of a micro-batch, which go through the GPU together. */
  readonly batchSize: number
  /** Micro-batches of a step. */
  readonly accumulate: number
  readonly epochs: number
  /** Steps of the run instead of epochs; null where epochs decide. */
  readonly steps: number | null
  /** Samples are cut behind this many tokens, those of pictures included. */
  readonly maxTokens: number
  /** Of the data's order and of a new connector. */
  readonly seed: number
}

/** One thing said in a conversation, in LLaVA's words. */
export interface Utterance {
  readonly from: 'human' | 'gpt' | 'system'
  /** Pictures stand in it as `<image>`. */
  readonly value: string
}

/** One line of training data in LLaVA's format. */
export interface Sample {
  readonly id: string
  /** Path of the picture relative to the images' folder; undefined for text alone. */
  readonly image: string | undefined
  readonly conversations: readonly Utterance[]
}

/** A row of data that takes no part in training. */
export interface SkippedRow {
  /** Counted from 0. */
  readonly row: number
  readonly id: string
  readonly image: string | undefined
  /** In words, for the reader. */
  readonly reason: string
  /** It is one of the held-out file, whose rows are counted by themselves. */
  readonly heldOut?: true
}

/** What a dataset's rows are, before anything is decoded; all in the order of the rows. */
export interface Scan {
  /** Rows that can be used, those of text alone included. */
  readonly usable: Uint32Array
  /** Rows of `usable` without a picture, which a chat template can train on. */
  readonly textOnly?: readonly { readonly row: number; readonly id: string }[]
  readonly skipped: readonly SkippedRow[]
}

/** Training data that is read where it lies: neither rows nor pictures are held in memory. */
export interface Dataset {
  readonly name: string
  /** Rows, those to be skipped included. */
  readonly length: number
  /** Tells one set of data from another: equal for equal rows. */
  readonly fingerprint: string
  /** Rows that came along to be kept for validation, in a file of their own. */
  readonly heldOut?: Dataset | undefined
  /** Why a file that is called as held-out rows are is not taken for them. */
  readonly heldOutProblem?: string | undefined
  /** Throws: DatasetError for a row that cannot be understood. */
  sample(row: number): Promise<Sample>
  /** Throws: DatasetError where the picture is missing. */
  image(path: string): Promise<Uint8Array>
  /**
   * Looks at every row once: which cannot be understood, and which name a picture that is not there.
   *
   * Throws: AbortError.
   */
  scan(options?: {
    signal?: AbortSignal | undefined
    onProgress?: ((rows: number) => void) | undefined
  }): Promise<Scan>
  close?(): Promise<void>
}

/** Ids of a finished conversation and which of them are learned. */
export interface Supervised {
  /** One placeholder id for each picture. */
  readonly ids: readonly number[]
  /** Equally long: the id itself, or IGNORED where the token is not learned. */
  readonly labels: readonly number[]
}

/** Label of a token that is not learned, as in PyTorch. */
export const IGNORED = -100

/** What one optimizer step was. */
export interface StepRecord {
  /** Counted from 1. */
  readonly step: number
  /** Mean over the micro-batches of the mean over their learned tokens, in nats. */
  readonly loss: number
  readonly microLosses: readonly number[]
  readonly lr: number
  /** Rate of the sampler group; absent where there is one group. */
  readonly samplerLr?: number
  /** Over all trained parameters, before clipping. */
  readonly gradNorm: number
  /** Positions that went through the language model. */
  readonly tokens: number
  /** Those of them that were learned. */
  readonly learnedTokens: number
  readonly samples: number
  readonly ms: number
  /** Nothing was changed: the gradient or the loss was not finite, or none of the step's rows could be used (`samples` 0). */
  readonly skipped?: true
}

/** Loss of held-out samples at some step. */
export interface EvaluationRecord {
  readonly step: number
  readonly loss: number
  readonly samples: number
}

/** What the model says about a held-out picture at some step. */
export interface CaptionRecord {
  readonly step: number
  /** Row of the data that is kept for validation. */
  readonly row: number
  readonly image: string
  readonly truth: string
  readonly caption: string
}

/** Everything a run writes down, a line each. */
export type LogRecord =
  | ({ readonly type: 'step' } & StepRecord)
  | ({ readonly type: 'evaluation' } & EvaluationRecord)
  | ({ readonly type: 'caption' } & CaptionRecord)

export type RunState = 'running' | 'paused' | 'stopped' | 'done' | 'failed'

/** One training run, as it is listed. */
export interface RunInfo {
  readonly id: string
  readonly name: string
  /** The checkpoint's name. */
  readonly model: string
  /** How its weights were held. */
  readonly dtype?: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly recipe: Recipe
  readonly dataset: {
    readonly name: string
    readonly fingerprint: string
    readonly rows: number
    /** Rows left out so far, those included that turned out to be of no use while it trained. */
    readonly skipped: number
    /** Those of them that turned out to be of no use only when it was their turn. */
    readonly unusable?: readonly number[]
    /** Rows kept for validation: of the data's own held-out file where it brings one, else of the usable ones. */
    readonly heldOut: readonly number[]
  }
  readonly state: RunState
  /** Another tab or process trains it at this moment. */
  readonly isElsewhere?: true
  /** Name of the connector it started from, where that is neither the checkpoint's nor a new one. */
  readonly startedFrom?: string
  /** Steps done, of `steps`. */
  readonly step: number
  readonly steps: number
  /** Step of the checkpoint it goes on from. */
  readonly checkpointStep: number
  readonly loss?: number
  readonly evaluationLoss?: number
  /** Why it failed. */
  readonly problem?: string
}

/** A recipe of one of the original projects, and where each of its values stands there. */
export interface KnownRecipe {
  readonly title: string
  readonly recipe: Recipe
  readonly sources: Readonly<Partial<Record<keyof Recipe, string>>>
}

/** What a run would take. */
export interface TrainingPlan {
  steps: number
  stepsPerEpoch: number
  warmupSteps: number
  /** Parameters that learn. */
  trainedParameters: number
  /** Rate of every step, or of 512 of them spread evenly; the sampler group's where it has its own. */
  learningRates: { step: number; lr: number; samplerLr?: number }[]
  gpuBytes: {
    /** What the loaded model holds already. */
    model: number
    /** Master weights, gradients and both moments. */
    optimizer: number
    /** Activations of a micro-batch, its layers' inputs included. */
    activations: number
    total: number
  }
  /** Bytes of tower features that are kept on this device. */
  cacheBytes: number
  /** Measured on the first micro-batch, without changing anything; absent where that does not fit the device. */
  secondsPerStep?: number
  /** All steps, and the towers once for each picture; validations are not counted. */
  secondsTotal?: number
  fits: boolean
  advice?: string
}

/** Whose key names an exported connector has. */
export type ConnectorLayout = 'llava' | 'hf' | 'tinyllava' | 'cambrian'

export interface ExportedFile {
  path: string
  bytes: Uint8Array<ArrayBuffer>
}
