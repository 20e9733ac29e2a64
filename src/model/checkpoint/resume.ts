import { TrilobiteError } from '../../kernels/errors'
import { NetworkError } from '../errors'
import {
  abortable,
  backoffMs,
  DEFAULT_STALL_MS,
  MAX_RETRIES,
  reasonOf,
  sleep as realSleep,
  throwIfAborted,
  TransientNetworkError,
  type Sleep,
} from './retry'
import type { CheckpointSource } from './source'
import { WatchedReader } from './watched-reader'

export interface ResumeOptions {
  start: number
  end: number
  signal?: AbortSignal
  sleep?: Sleep
  /** A connection that brings nothing for so long counts as dropped. Default: `DEFAULT_STALL_MS`. */
  stallMs?: number
  /** Told before each retry. */
  onResume?: (atByte: number) => void
}

/** So many bytes after a drop, the connection is taken for healthy again and may drop anew. */
const HEALTHY_BYTES = 16 * 1024 * 1024

/** How long a connection that brought every byte may take to say that there are no more. */
const CLOSING_MS = 1000

/**
 * Exactly the bytes from `start` to `end` of a file, in chunks cut anywhere, each good until the next. A connection that drops, stalls or
 * ends early is taken up again at the byte reached, at most `MAX_RETRIES` times in a row.
 *
 * Throws: NetworkError when that does not help, or when more bytes come than asked for; AbortError.
 */
export async function* streamRange(
  source: CheckpointSource,
  path: string,
  options: ResumeOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { end, signal, sleep = realSleep, stallMs = DEFAULT_STALL_MS } = options
  const where = `${source.name}: ${path}`
  let at = options.start
  let retries = 0
  let healthyFrom = Infinity

  while (at < end) {
    throwIfAborted(signal)
    const opening = source.stream(path, { start: at, end, signal })
    const stream = await abortable(opening, signal).catch((error: unknown) => {
      // One that opens all the same holds a file or a connection.
      opening.then((late) => late.cancel()).catch(() => undefined)
      throw error
    })
    const reader = new WatchedReader(stream, where, signal)
    let trouble: string
    try {
      for (;;) {
        const { done, value } = await reader.read(at < end ? stallMs : CLOSING_MS)
        if (done) {
          if (at === end) return
          trouble = 'the connection ended early'
          break
        }
        if (value.byteLength > end - at) {
          throw new NetworkError(
            `${where}: expected ${end - options.start} bytes from byte ${options.start}, got more; ` +
              'the file changed meanwhile or the server ignores byte ranges, load again',
          )
        }
        at += value.byteLength
        if (at >= healthyFrom) retries = 0
        if (value.byteLength > 0) yield value
      }
    } catch (error) {
      throwIfAborted(signal)
      if (error instanceof TrilobiteError && !(error instanceof TransientNetworkError)) throw error
      // Every byte is here; how the connection ends no longer matters.
      if (at === end) return
      trouble = reasonOf(error)
    } finally {
      reader.close()
    }

    if (retries === MAX_RETRIES) {
      throw new NetworkError(
        `${where}: expected ${end - options.start} bytes from byte ${options.start}, got ` +
          `${at - options.start} and then: ${trouble} (tried ${retries + 1} times); check the connection and load again`,
      )
    }
    healthyFrom = at + HEALTHY_BYTES
    options.onResume?.(at)
    await sleep(backoffMs(retries), signal)
    retries++
  }
}
