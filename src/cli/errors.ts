import { TrilobiteError } from '../kernels/errors'

/** A command line that cannot be understood. */
export class UsageError extends TrilobiteError {
  override readonly name = 'UsageError'
}

/** `Name: message` on one line, whatever was thrown. */
export function errorLine(error: unknown): string {
  const { name, message } = toError(error)
  return `${name}: ${message}`.replace(/\s*\n\s*/g, ' ').trim()
}

/** The same kind of error with a further sentence. */
export function withAdvice(error: unknown, advice: string): Error {
  const { name, message } = toError(error)
  const end = /[.!?]$/.test(message) ? '' : '.'
  const told = new TrilobiteError(`${message}${end} ${advice}`, { cause: error })
  return Object.defineProperty(told, 'name', { value: name })
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
