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
