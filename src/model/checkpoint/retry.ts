import { AbortError, NetworkError } from '../errors'

/** Waits; rejects with AbortError when the signal aborts first. Injected by tests. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>

/** A trouble that may pass: a dropped or stalled connection, a busy server. */
export class TransientNetworkError extends NetworkError {
  constructor(
    message: string,
    /** How long the server asked to wait. */
    readonly retryAfterMs = 0,
  ) {
    super(message)
  }
}

/** How often one request, or one run of bytes, is tried again. */
export const MAX_RETRIES = 3

/** A connection that brings nothing for so long is given up. */
export const DEFAULT_STALL_MS = 60_000

const FIRST_WAIT_MS = 500
/** A server that asks for more patience than this is told apart from one that will answer. */
const LONGEST_WAIT_MS = 30_000

/** The wait before retry 0, 1, 2 ...: doubling, but at least what the server asked for. */
export function backoffMs(retry: number, retryAfterMs = 0): number {
  return Math.min(Math.max(FIRST_WAIT_MS * 2 ** retry, retryAfterMs), LONGEST_WAIT_MS)
}

export const sleep: Sleep = (ms, signal) => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  return abortable(wait, signal).finally(() => clearTimeout(timer))
}

/** Throws: AbortError when the signal has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError('checkpoint: loading was cancelled')
}

/** The promise's outcome, or AbortError as soon as the signal aborts. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new AbortError('checkpoint: loading was cancelled'))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', onAbort!)
  }
}

/**
 * Runs `attempt` until it succeeds, fails for good, or was retried `MAX_RETRIES` times.
 *
 * Throws: NetworkError when trouble did not pass; whatever else `attempt` throws.
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  options: { sleep: Sleep; signal?: AbortSignal },
): Promise<T> {
  for (let retry = 0; ; retry++) {
    throwIfAborted(options.signal)
    try {
      return await attempt()
    } catch (error) {
      throwIfAborted(options.signal)
      if (!(error instanceof TransientNetworkError)) throw error
      if (retry === MAX_RETRIES) throw new NetworkError(`${error.message} (tried ${retry + 1} times)`)
      await options.sleep(backoffMs(retry, error.retryAfterMs), options.signal)
    }
  }
}

/** What an error of the platform says, on one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = error.cause instanceof Error && 'code' in error.cause ? ` (${String(error.cause.code)})` : ''
  return `${error.message}${code}`.replace(/\s+/g, ' ')
}
