import type { ErrorName } from '../../worker/api'
import { en, type Messages } from './messages/en'

/** What a visitor may do about a problem; the page turns each into a button. */
export type Remedy = 'reload-model' | 'choose-model' | 'use-server' | 'retry' | 'new-chat' | 'reload-page'

/** An error as the visitor meets it: what happened, what to do, and the engine's own words beneath. */
export interface Problem {
  name: string
  title: string
  advice: string
  detail: string
  remedies: Remedy[]
  /** The advice speaks of the detail. */
  sendsToDetail?: true
}

/** What the page knows about the browser that an error alone does not tell. */
export interface Surroundings {
  hasWebGpu: boolean
  isSecureContext: boolean
  isOnline: boolean
}

/** The classes of `ErrorName`, and those the page raises itself. */
export type KnownErrorName = ErrorName | 'WorkerCrashError' | 'QuotaExceededError'

type Wording = Pick<Messages, 'problems'>

/** Which sentences tell of a problem, and what is offered. */
interface Case {
  says: keyof Wording['problems']
  remedies: Remedy[]
  sendsToDetail?: true
}

const CASES: Record<KnownErrorName, Case | ((message: string, around: Surroundings) => Case)> = {
  UnsupportedDeviceError(_message, around) {
    if (!around.isSecureContext) return { says: 'insecureAddress', remedies: ['use-server'] }
    if (!around.hasWebGpu) return { says: 'noWebGpu', remedies: ['use-server'] }
    return { says: 'noGpu', remedies: ['reload-page', 'use-server'] }
  },
  SelfTestError: { says: 'wrongValues', remedies: ['reload-page', 'use-server'] },
  DeviceLostError: { says: 'gpuLost', remedies: ['reload-model', 'choose-model'] },
  ShaderError: { says: 'shaderRefused', remedies: ['retry', 'choose-model'] },
  OutOfMemoryError: { says: 'outOfMemory', remedies: ['choose-model'], sendsToDetail: true },
  NetworkError(message, around) {
    if (!around.isOnline) return { says: 'offline', remedies: ['retry'] }
    if (/\b40[13]\b/.test(message)) return { says: 'refused', remedies: ['choose-model'] }
    if (/\b404\b/.test(message)) return { says: 'notFound', remedies: ['choose-model'] }
    if (/\b429\b/.test(message)) return { says: 'tooManyRequests', remedies: ['retry'] }
    return { says: 'notDownloaded', remedies: ['retry'] }
  },
  EndpointError(message, around) {
    const [, trouble = ''] = /^endpoint (\w+):/.exec(message) ?? []
    if (trouble === 'unreachable' && !around.isOnline) return { says: 'offline', remedies: ['retry'] }
    return (
      SERVER_CASES[trouble] ?? {
        says: 'serverRefused',
        remedies: ['retry', 'choose-model'],
        sendsToDetail: true,
      }
    )
  },
  CheckpointError: { says: 'damagedWeights', remedies: ['retry', 'choose-model'] },
  ConfigError: { says: 'unsupportedConfig', remedies: ['choose-model'], sendsToDetail: true },
  ImageError: { says: 'unreadablePicture', remedies: [] },
  TemplateError: { says: 'unfitTemplate', remedies: ['new-chat'] },
  ContextOverflowError: { says: 'contextFull', remedies: ['new-chat', 'choose-model'] },
  ShapeError: { says: 'unfitShapes', remedies: ['choose-model'], sendsToDetail: true },
  DatasetError: { says: 'unusableData', remedies: [], sendsToDetail: true },
  TrainingError(message) {
    if (/not finite/.test(message)) return { says: 'diverged', remedies: [] }
    if (/another tab/.test(message)) return { says: 'trainedElsewhere', remedies: [] }
    if (/another run/.test(message)) return { says: 'otherRunTraining', remedies: [] }
    return { says: 'cannotTrain', remedies: [], sendsToDetail: true }
  },
  AbortError: { says: 'cancelled', remedies: [] },
  WorkerCrashError: { says: 'crashed', remedies: ['reload-model', 'reload-page'] },
  QuotaExceededError: { says: 'storageFull', remedies: ['new-chat'] },
}

/** By the first word of an EndpointError; of others the server's own words tell more. */
const SERVER_CASES: Record<string, Case> = {
  unreachable: { says: 'serverUnreachable', remedies: ['retry', 'choose-model'] },
  blocked: { says: 'serverBlocked', remedies: ['retry', 'choose-model'], sendsToDetail: true },
  insecure: { says: 'serverInsecure', remedies: ['choose-model'] },
  denied: { says: 'serverDenied', remedies: ['choose-model'] },
  missing: { says: 'serverMissing', remedies: ['choose-model'] },
  busy: { says: 'serverBusy', remedies: ['retry'] },
  broken: { says: 'answerBroken', remedies: ['retry'] },
  stalled: { says: 'answerBroken', remedies: ['retry'] },
}

const UNKNOWN: Case = { says: 'unknown', remedies: ['retry', 'reload-page'] }

/** Every error name that has a sentence of its own. */
export const KNOWN_ERROR_NAMES = Object.keys(CASES) as KnownErrorName[]

function caseOf(name: string, message: string, around: Surroundings): Case {
  const entry = Object.hasOwn(CASES, name) ? CASES[name as KnownErrorName] : UNKNOWN
  return typeof entry === 'function' ? entry(message, around) : entry
}

/** The sentences for an error, from its name and message. Anything may be thrown at it. */
export function explain(error: unknown, around: Surroundings, { problems }: Wording = en): Problem {
  const { name, message } = nameAndMessage(error)
  const { says, ...rest } = caseOf(name, message, around)
  return { name, detail: message, advice: '', ...problems[says], ...rest }
}

/** What differs where an error came while a connector was trained or its training planned: in English, as training is. */
const IN_TRAINING: Partial<Record<Case['says'], Partial<Omit<Problem, 'name' | 'detail'>>>> = {
  outOfMemory: {
    title: 'The GPU ran out of memory while training.',
    advice:
      'Take a smaller micro-batch and accumulate more of them: the steps stay the same. Fewer tokens per sample, or ' +
      'the model loaded as q8 or q4, save memory too. A run goes on from its last checkpoint.',
    remedies: [],
  },
  gpuLost: {
    advice:
      'Runs are kept up to their last checkpoint. Reload the model, then resume the run. If it happens again, take a ' +
      'smaller micro-batch, or close other tabs that use the GPU.',
  },
  crashed: {
    advice: 'Runs are kept up to their last checkpoint. Reload the model, then resume the run.',
  },
  unsupportedConfig: {
    title: 'This model’s connector cannot be trained so.',
    advice: 'The details name the setting. Change it in the recipe, or choose another model.',
  },
  unfitTemplate: {
    title: 'A sample does not fit the chat template of the recipe.',
    advice: 'Choose the plain template, or another one, in the recipe.',
  },
  contextFull: {
    title: 'A sample is longer than the model’s context.',
    advice: 'Lower the longest sample in the recipe, or load the model with a longer context.',
    remedies: ['choose-model'],
  },
  damagedWeights: {
    title: 'A connector’s weights are damaged or belong to another model.',
    advice: 'Load the model it was trained on, or choose another file.',
    remedies: [],
  },
  storageFull: {
    title: 'The browser’s storage is full.',
    advice: 'Delete runs that are no longer needed, or free disk space, then resume.',
  },
  unknown: {
    advice: 'Try again. If it stays, reload the page; runs are kept up to their last checkpoint.',
  },
}

/** The sentences for an error that came while training: `explain`, with advice for a run instead of a chat. */
export function explainTraining(error: unknown, around: Surroundings): Problem {
  const problem = explain(error, around)
  const instead = IN_TRAINING[caseOf(problem.name, problem.detail, around).says]
  return { ...problem, ...instead, remedies: (instead?.remedies ?? problem.remedies).filter(isOfModels) }
}

/** True where the advice sends the visitor to the engine's own words. */
export function pointsToDetail({ sendsToDetail, detail }: Problem): boolean {
  return detail !== '' && sendsToDetail === true
}

/** Remedies that help who trains; `retry`, `new-chat` and servers are a chat's. */
const isOfModels = (remedy: Remedy) => !['retry', 'new-chat', 'use-server'].includes(remedy)

/** True for an error that means the visitor cancelled. */
export function isAbort(error: unknown): boolean {
  return nameAndMessage(error).name === 'AbortError'
}

/** Name and message of anything thrown. */
export function nameAndMessage(error: unknown): { name: string; message: string } {
  if (typeof error === 'object' && error !== null) {
    const { name, message } = error as { name?: unknown; message?: unknown }
    return {
      name: typeof name === 'string' ? name : 'Error',
      message: typeof message === 'string' ? message : '',
    }
  }
  return { name: 'Error', message: String(error) }
}
