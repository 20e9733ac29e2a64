import { TrilobiteError } from '../kernels/errors'

/** A command line that cannot be understood. */
export class UsageError extends TrilobiteError {
  override readonly name = 'UsageError'
}

/** `Name: message` on one line, whatever was thrown. */
export function errorLine(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  return `${name}: ${message}`.replace(/\s*\n\s*/g, ' ').trim()
}
