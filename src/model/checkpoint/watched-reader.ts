import { AbortError } from '../errors'
import { TransientNetworkError } from './retry'

/** Bytes asked for at once of streams that fill buffers they are given; browsers hand on about half of it. */
const READ_BYTES = 1024 * 1024

/**
 * Reads a stream until nothing comes for too long or a signal aborts. One timer and one listener serve all reads: set
 * anew for each of the chunks of 64 KiB that Node gives, they take a quarter of the time of a fetch.
 *
 * Byte streams, such as bodies of responses, are read into one buffer over and over, which in Chromium nearly doubles the
 * speed; so a chunk is good until the next read alone.
 */
export class WatchedReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | ReadableStreamBYOBReader
  readonly #read: () => Promise<ReadableStreamReadResult<Uint8Array> | { done: true; value: undefined }>
  #fail: ((error: Error) => void) | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #waitingSince = 0
  #stallMs = 0

  constructor(
    stream: ReadableStream<Uint8Array>,
    readonly what: string,
    readonly signal?: AbortSignal,
  ) {
    const filling = fillingReader(stream)
    if (filling) {
      let buffer = new ArrayBuffer(READ_BYTES)
      this.#reader = filling
      this.#read = async () => {
        const { done, value } = await filling.read(new Uint8Array(buffer))
        if (value) buffer = value.buffer
        return done ? { done, value: undefined } : { done, value }
      }
    } else {
      const reader = stream.getReader()
      this.#reader = reader
      this.#read = () => reader.read()
    }
    signal?.addEventListener('abort', this.#onAbort)
  }

  /**
   * The next chunk.
   *
   * Throws: TransientNetworkError when none comes within `stallMs`, AbortError; whatever the stream fails with. The
   * caller closes the reader then.
   */
  read(stallMs: number): Promise<ReadableStreamReadResult<Uint8Array> | { done: true; value: undefined }> {
    return new Promise((resolve, reject) => {
      this.#fail = reject
      this.#waitingSince = performance.now()
      if (this.signal?.aborted) return this.#onAbort()
      if (this.#timer === undefined || stallMs < this.#stallMs) {
        clearTimeout(this.#timer)
        this.#timer = setTimeout(this.#onTimer, stallMs)
      }
      this.#stallMs = stallMs
      this.#read().then((result) => {
        this.#fail = undefined
        resolve(result)
      }, reject)
    })
  }

  /** Lets the stream go. */
  close(): void {
    clearTimeout(this.#timer)
    this.signal?.removeEventListener('abort', this.#onAbort)
    this.#reader.cancel().catch(() => undefined)
  }

  readonly #onAbort = (): void => {
    this.#fail?.(new AbortError('checkpoint: loading was cancelled'))
  }

  /** Set for an earlier read, it may come too early for this one. */
  readonly #onTimer = (): void => {
    this.#timer = undefined
    // Between reads it is the caller who takes his time.
    if (!this.#fail) return
    const leftMs = this.#waitingSince + this.#stallMs - performance.now()
    if (leftMs > 0) this.#timer = setTimeout(this.#onTimer, leftMs)
    else {
      const waited = `${this.#stallMs / 1000} s`
      this.#fail(new TransientNetworkError(`${this.what}: expected more bytes, got none for ${waited}`))
    }
  }
}

function fillingReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: 'byob' })
  } catch {
    // Not a stream of bytes.
    return undefined
  }
}
