/**
 * The part of the contract that trains connectors. Types only, as in api.ts: every argument and result is
 * structured-cloneable.
 */
import type {
  CaptionRecord,
  ConnectorLayout,
  EvaluationRecord,
  ExportedFile,
  KnownRecipe,
  LogRecord,
  Recipe,
  RunInfo,
  SkippedRow,
  StepRecord,
  TrainingPlan,
} from '../model/train/definition'

export type {
  CaptionRecord,
  ConnectorLayout,
  EvaluationRecord,
  ExportedFile,
  KnownRecipe,
  LogRecord,
  Recipe,
  RunInfo,
  RunState,
  Schedule,
  SkippedRow,
  StepRecord,
  TrainingPlan,
} from '../model/train/definition'

/** Where picture/caption pairs come from. */
export type DatasetSource =
  /** LLaVA's JSON or JSONL, or a table (CSV, TSV) with captions, beside its pictures; paths as in the folder or drop. */
  | { kind: 'files'; files: { path: string; file: File }[] }
  /** The same in one zip. */
  | { kind: 'zip'; file: File }
  /** The same in one zip on a server, as the sample set is. */
  | { kind: 'zip-url'; url: string; name: string }
  /** Captions typed in the page. */
  | { kind: 'pairs'; name: string; pairs: { name: string; image: Blob; caption: string }[] }

export interface DatasetInfo {
  name: string
  fingerprint: string
  rows: number
  usable: number
  /** Usable rows without a picture, which only chat templates are trained with. */
  textOnlyRows: number
  /** Rows of a held-out file that came along. */
  heldOutRows: number
  /** Why a held-out file that was found is not used. */
  heldOutProblem?: string
  /** The first hundred of those that are left out; `skippedCount` counts all. */
  skipped: SkippedRow[]
  skippedCount: number
  /** The first few usable rows. */
  preview: { row: number; image: Blob | undefined; caption: string }[]
}

export interface TrainingRequest {
  /** The loaded model's connector is trained. */
  recipe: Recipe
  dataset: DatasetSource
  name: string
  /**
   * Usable rows, chosen by the seed, that are kept for validation. Where the data brings a held-out file: at most so many
   * of its rows, and all for 0.
   */
  heldOut: number
  /** Steps from one validation to the next, captions included; 0 for none but the last. */
  evaluateEvery: number
  /** Held-out pictures that are captioned at each validation. */
  captions: number
  /** Steps from one checkpoint to the next. */
  checkpointEvery: number
}

export type TrainingEvent =
  | { type: 'run'; run: RunInfo }
  /** Towers see pictures for the first time; `done` of those that this run's micro-batch needs. */
  | { type: 'features'; done: number; total: number; image: string; cached: boolean }
  | ({ type: 'step' } & StepRecord & { stepsPerSecond: number; tokensPerSecond: number; secondsLeft: number })
  | ({ type: 'evaluation' } & EvaluationRecord)
  | ({ type: 'caption' } & CaptionRecord)
  | { type: 'skipped'; row: SkippedRow; count: number }
  /** Held-out rows that a validation has passed so far. */
  | { type: 'validating'; done: number; total: number }
  | { type: 'checkpoint'; step: number }
  /** Something that the reader should know, such as that features cannot be kept. */
  | { type: 'notice'; message: string }

export type TrainingAction = 'pause' | 'resume' | 'step' | 'stop'

/** The connector a chat goes through. */
export interface ConnectorInfo {
  /** `checkpoint`, the run's name, or the imported file's. */
  name: string
  run?: string
  parameters: number
}

export interface GradientCheckOptions {
  /** Random directions in the space of the parameters, each also tried on each part alone. */
  directions: number
  seed: number
}

export interface GradientReport {
  model: string
  /** Name of the connector, where it is not the checkpoint's. */
  connector?: string
  adapter: string
  loss: number
  /** Relative error that a correct gradient stays below on this device. */
  tolerance: number
  passed: boolean
  checks: {
    /** `all parameters`, or one parameter's name. */
    name: string
    analytic: number
    /** From central differences along the direction. */
    numeric: number
    relativeError: number
    passed: boolean
    /** False where both are too small beside the rounding of the losses to tell a wrong gradient from a right one. */
    resolved: boolean
  }[]
  ms: number
}

export interface TrainingApi {
  recipes(): Promise<KnownRecipe[]>
  /** Layouts the loaded model's connector can be written in, the checkpoint's own first. */
  connectorLayouts(): Promise<ConnectorLayout[]>
  /** Reads every row once. Rejects with DatasetError, or AbortError after `cancelOpening`. */
  openDataset(source: DatasetSource, onProgress: (rows: number) => void): Promise<DatasetInfo>
  /** What a run would take. Rejects with AbortError after `cancelOpening`. */
  planTraining(request: TrainingRequest): Promise<TrainingPlan>
  /** Ends the reading of data, planning and gradient checks; a run goes on. */
  cancelOpening(): Promise<void>
  /**
   * Trains until the run is done, paused or stopped, and tells how it ended. Pausing and stopping write a checkpoint
   * first. Questions may be asked meanwhile: they are answered between steps.
   */
  train(request: TrainingRequest, onEvent: (e: TrainingEvent) => void): Promise<RunInfo>
  /** Goes on with a run that is paused, was stopped, or whose tab went away, from its last checkpoint to the same numbers. */
  resumeTraining(run: string, dataset: DatasetSource, onEvent: (e: TrainingEvent) => void): Promise<RunInfo>
  /** `step` runs one step of a paused run and pauses it again. */
  controlTraining(action: TrainingAction): Promise<void>
  runs(): Promise<RunInfo[]>
  runLog(run: string): Promise<LogRecord[]>
  renameRun(run: string, name: string): Promise<void>
  /** Rejects with TrainingError for a run that trains, here or in another tab. */
  deleteRun(run: string): Promise<void>
  /** The connector of a run's last checkpoint with config, recipe, log and model card. */
  exportRun(run: string, layout: ConnectorLayout): Promise<ExportedFile[]>
  /** Reads an exported connector, or an original project's (`mm_projector.bin`), and chats through it. */
  importConnector(files: { path: string; file: File }[]): Promise<ConnectorInfo>
  /** Chats through a run's connector, or the checkpoint's own where undefined; the model stays loaded. */
  useConnector(run: string | undefined): Promise<ConnectorInfo>
  /**
   * Compares gradients with finite differences on the loaded model, at the connector that chats go through; changes nothing.
   * Rejects with AbortError after `cancelOpening`.
   */
  checkGradients(
    options: GradientCheckOptions,
    onProgress: (done: number, total: number) => void,
  ): Promise<GradientReport>
}
