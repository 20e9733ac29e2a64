import type { ErrorName } from '../../worker/api'

/** What a visitor may do about a problem; the page turns each into a button. */
export type Remedy = 'reload-model' | 'choose-model' | 'retry' | 'new-chat' | 'reload-page'

/** An error as the visitor meets it: what happened, what to do, and the engine's own words beneath. */
export interface Problem {
  name: string
  title: string
  advice: string
  detail: string
  remedies: Remedy[]
}

/** What the page knows about the browser that an error alone does not tell. */
export interface Surroundings {
  hasWebGpu: boolean
  isSecureContext: boolean
  isOnline: boolean
}

type Sentence = Omit<Problem, 'name' | 'detail'>
/** The classes of `ErrorName`, and those the page raises itself. */
export type KnownErrorName = ErrorName | 'WorkerCrashError' | 'QuotaExceededError'

const UNFIT_ADVICE =
  'Open this page in a current Chrome or Edge, in Safari 26 or newer, or in Firefox 141 or newer on Windows.'

const SENTENCES: Record<KnownErrorName, Sentence | ((message: string, around: Surroundings) => Sentence)> = {
  UnsupportedDeviceError(_message, around) {
    if (!around.isSecureContext)
      return {
        title: 'WebGPU is off on this address.',
        advice: 'Browsers allow it only over https or on localhost. Open the page there.',
        remedies: [],
      }
    if (!around.hasWebGpu) return { title: 'This browser has no WebGPU.', advice: UNFIT_ADVICE, remedies: [] }
    return {
      title: 'No usable GPU was found.',
      advice:
        'Turn on graphics acceleration in the browser’s settings, update the graphics driver, then reload the page.',
      remedies: ['reload-page'],
    }
  },
  SelfTestError: {
    title: 'This GPU computes wrong values, so answers would be nonsense.',
    advice: 'Update the browser and the graphics driver, or try another browser, then reload the page.',
    remedies: ['reload-page'],
  },
  DeviceLostError: {
    title: 'The connection to the GPU was lost.',
    advice:
      'Your chat is kept. Reload the model to go on. If it happens again, close other tabs that use the GPU, ' +
      'or load the model with smaller weights or a shorter context.',
    remedies: ['reload-model', 'choose-model'],
  },
  OutOfMemoryError: {
    title: 'The GPU ran out of memory.',
    advice:
      'Load the model as q8 or q4, with a shorter context, or choose a smaller one. Closing other tabs helps.',
    remedies: ['choose-model'],
  },
  NetworkError(message, around) {
    if (!around.isOnline)
      return {
        title: 'You are offline.',
        advice: 'Connect and try again. The bundled model and local folders work without a network.',
        remedies: ['retry'],
      }
    if (/\b40[13]\b/.test(message))
      return {
        title: 'The host refused this model.',
        advice:
          'It may be private or ask you to accept its terms. Accept them on the model’s page, then give an ' +
          'access token under Source options.',
        remedies: ['choose-model'],
      }
    if (/\b404\b/.test(message))
      return {
        title: 'The model or one of its files was not found.',
        advice:
          'Check the spelling of the name and revision, and that the repository holds safetensors files.',
        remedies: ['choose-model'],
      }
    if (/\b429\b/.test(message))
      return {
        title: 'The host asks to slow down.',
        advice: 'Wait a minute and try again.',
        remedies: ['retry'],
      }
    return {
      title: 'A file could not be downloaded.',
      advice: 'Check the connection and try again. A blocker or a host without CORS can cause this too.',
      remedies: ['retry'],
    }
  },
  CheckpointError: {
    title: 'The model’s weights are damaged or do not match its configuration.',
    advice:
      'Load it again. If the same file fails again, the checkpoint itself is at fault: choose another one.',
    remedies: ['retry', 'choose-model'],
  },
  ConfigError: {
    title: 'This model’s configuration is not one Trilobite can run.',
    advice:
      'The details name the field. Choose a LLaVA checkpoint in the Hugging Face layout, or one of the list.',
    remedies: ['choose-model'],
  },
  ImageError: {
    title: 'A picture could not be read.',
    advice:
      'Use a PNG, JPEG, WebP or GIF file. Opening it in a picture editor and saving it anew often helps.',
    remedies: [],
  },
  TemplateError: {
    title: 'This conversation does not fit the model’s chat template.',
    advice:
      'Remove the system prompt or start a new chat; some models take no system prompt or no later pictures.',
    remedies: ['new-chat'],
  },
  ContextOverflowError: {
    title: 'The conversation is longer than the model’s context.',
    advice: 'Start a new chat, shorten the question, or load the model with a longer context.',
    remedies: ['new-chat', 'choose-model'],
  },
  ShapeError: {
    title: 'The model does not fit together.',
    advice: 'Its files disagree about a size; the details say where. Choose another checkpoint.',
    remedies: ['choose-model'],
  },
  DatasetError: {
    title: 'The data cannot be used as it is.',
    advice:
      'The details name the file or row. Give LLaVA’s JSON or JSONL, a CSV or TSV table, or pictures with .txt files, ' +
      'together with the pictures.',
    remedies: [],
  },
  TrainingError(message) {
    if (/not finite/.test(message))
      return {
        title: 'Training stopped: its numbers were no longer finite.',
        advice:
          'Start a new run with a lower learning rate, a longer warm-up, or the model in f32. This run keeps its last ' +
          'checkpoint, which the new one may begin with.',
        remedies: [],
      }
    if (/another tab/.test(message))
      return {
        title: 'This run is training in another tab or program.',
        advice: 'Pause it there, or close that tab, then try again.',
        remedies: [],
      }
    if (/another run/.test(message))
      return {
        title: 'Another run is training.',
        advice: 'Pause it or stop it first, then try again.',
        remedies: [],
      }
    return {
      title: 'Training cannot begin or go on so.',
      advice: 'The details say why, and what to change. Runs keep their last checkpoint.',
      remedies: [],
    }
  },
  AbortError: { title: 'Cancelled.', advice: '', remedies: [] },
  WorkerCrashError: {
    title: 'The engine stopped unexpectedly.',
    advice: 'Your chat is kept. Reload the model to go on.',
    remedies: ['reload-model', 'reload-page'],
  },
  QuotaExceededError: {
    title: 'The browser’s storage is full.',
    advice: 'This chat will not survive a reload of the page. Free some disk space or start a new chat.',
    remedies: ['new-chat'],
  },
}

const UNKNOWN: Sentence = {
  title: 'Something went wrong.',
  advice: 'Try again. If it stays, reload the page; your chat is kept.',
  remedies: ['retry', 'reload-page'],
}

/** Every error name that has a sentence of its own. */
export const KNOWN_ERROR_NAMES = Object.keys(SENTENCES) as KnownErrorName[]

/** The sentence for an error, from its name and message. Anything may be thrown at it. */
export function explain(error: unknown, around: Surroundings): Problem {
  const { name, message } = nameAndMessage(error)
  const entry = Object.hasOwn(SENTENCES, name) ? SENTENCES[name as KnownErrorName] : UNKNOWN
  const sentence = typeof entry === 'function' ? entry(message, around) : entry
  return { name, detail: message, ...sentence }
}

const UNKNOWN_IN_TRAINING: Partial<Sentence> = {
  advice: 'Try again. If it stays, reload the page; runs are kept up to their last checkpoint.',
}

/** What to do instead where an error came while a connector was trained or its training planned. */
const IN_TRAINING: Partial<Record<KnownErrorName, Partial<Sentence>>> = {
  OutOfMemoryError: {
    title: 'The GPU ran out of memory while training.',
    advice:
      'Take a smaller micro-batch and accumulate more of them: the steps stay the same. Fewer tokens per sample, or ' +
      'the model loaded as q8 or q4, save memory too. A run goes on from its last checkpoint.',
    remedies: [],
  },
  DeviceLostError: {
    advice:
      'Runs are kept up to their last checkpoint. Reload the model, then resume the run. If it happens again, take a ' +
      'smaller micro-batch, or close other tabs that use the GPU.',
  },
  WorkerCrashError: {
    advice: 'Runs are kept up to their last checkpoint. Reload the model, then resume the run.',
  },
  ConfigError: {
    title: 'This model’s connector cannot be trained so.',
    advice: 'The details name the setting. Change it in the recipe, or choose another model.',
  },
  TemplateError: {
    title: 'A sample does not fit the chat template of the recipe.',
    advice: 'Choose the plain template, or another one, in the recipe.',
    remedies: [],
  },
  ContextOverflowError: {
    title: 'A sample is longer than the model’s context.',
    advice: 'Lower the longest sample in the recipe, or load the model with a longer context.',
    remedies: ['choose-model'],
  },
  CheckpointError: {
    title: 'A connector’s weights are damaged or belong to another model.',
    advice: 'Load the model it was trained on, or choose another file.',
    remedies: [],
  },
  QuotaExceededError: {
    title: 'The browser’s storage is full.',
    advice: 'Delete runs that are no longer needed, or free disk space, then resume.',
    remedies: [],
  },
}

/** The sentence for an error that came while training: `explain`, with advice for a run instead of a chat. */
export function explainTraining(error: unknown, around: Surroundings): Problem {
  const problem = explain(error, around)
  const isKnown = Object.hasOwn(SENTENCES, problem.name)
  const instead = isKnown ? IN_TRAINING[problem.name as KnownErrorName] : UNKNOWN_IN_TRAINING
  return { ...problem, ...instead, remedies: (instead?.remedies ?? problem.remedies).filter(isOfModels) }
}

/** True where the advice sends the visitor to the engine's own words. */
export function pointsToDetail({ advice, detail }: Problem): boolean {
  return detail !== '' && /\bdetails\b/i.test(advice)
}

/** Remedies that mean the same wherever they stand; `retry` and `new-chat` are a chat's. */
const isOfModels = (remedy: Remedy) => remedy !== 'retry' && remedy !== 'new-chat'

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
