import { CheckpointError } from '../errors'
import type { ByteStore, ByteWriter, ResumedWriter } from './byte-store'
import { reasonOf } from './retry'
import type { ByteRange, CheckpointSource } from './source'

/** A copy that was verified when it was kept cannot be read now. It is forgotten: reading the file anew helps. */
export class DamagedCopyError extends CheckpointError {}

/** A file or a part of one, in the store or on its way there. */
export interface KeptRun {
  readonly path: string
  readonly key: string
  readonly sizeBytes: number
  /** Of whole files that had it, or must have it before they are used. */
  readonly sha256?: string | undefined
}

export interface KeepOptions {
  readonly store: ByteStore
  /** Sizes of files that are known already; others are asked of the source, once. */
  readonly sizes?: Iterable<readonly [path: string, sizeBytes: number]> | undefined
  /** Files whose origin states no hash pass through. Default: they are kept, too. */
  readonly onlyHashed?: boolean | undefined
  /** Told of each run of bytes that is kept, or begun to be, by its key in the store. */
  readonly onKeep?: ((run: KeptRun) => void) | undefined
  /** Told where the bytes of each stream come from, before the first of them. */
  readonly onStream?: ((isKept: boolean) => void) | undefined
  /** Told why bytes could not be kept, or read where they are kept; they then come from the source. */
  readonly onTrouble?: ((reason: string) => void) | undefined
}

/** A source whose bytes stay on this device once they were read. */
export interface KeptSource extends CheckpointSource {
  /** Ends what is still being written: whole streams are kept, all others left to the next visit or forgotten. */
  settle(): Promise<void>
}

/**
 * Keeps the bytes of `source` in a store as they are streamed, and streams them from there the next time. Only what
 * was read to its end is served; a stream that breaks is kept whole where the next one goes on at the byte reached.
 *
 * Files whose hash their origin states are known by it: what several models share is kept once. Other bytes are known by
 * the source's address, the file's path and size, so that a file whose size changed is fetched anew, but one that changed
 * within its size (a branch that moved on, another file at the same URL) is not noticed.
 *
 * Whole files with a hash are kept only once `copies.judge` said that their bytes had it: who streams them hashes them.
 * Later they need no hashing; what the store itself damages within a file's size is not noticed. What is there of one when
 * its stream ends early stays, where the store can resume, and the next stream, of another visit too, begins with it.
 *
 * Of a source without an address (files at hand) nothing is kept: reading it is as quick, and its name identifies nothing.
 */
export function keptSource(source: CheckpointSource, options: KeepOptions): KeptSource {
  const { address } = source
  const sizes = new Map<string, number | undefined>(options.sizes)
  const keeper = new Keeper(options)
  const wholeKey = (sizeBytes: number, sha256: string) => JSON.stringify([sha256, 0, sizeBytes])
  const sizeOf = async (path: string, signal?: AbortSignal) => {
    if (!sizes.has(path)) sizes.set(path, await source.sizeOf(path, signal))
    return sizes.get(path)
  }
  return {
    name: source.name,
    ...(address !== undefined && { address }),
    get ignoresRanges() {
      return source.ignoresRanges ?? false
    },
    sizeOf,
    readText: (path, options) => source.readText(path, options),
    ...(source.sha256Of && { sha256Of: (path, signal) => source.sha256Of!(path, signal) }),
    copies: {
      async has(path, sha256) {
        const sizeBytes = address === undefined ? undefined : await sizeOf(path)
        return sizeBytes !== undefined && keeper.has(wholeKey(sizeBytes, sha256))
      },
      judge: (path, isGood) => keeper.judge(path, isGood),
    },
    async stream(path, { start = 0, end, signal } = {}) {
      const sizeBytes = address === undefined ? undefined : await sizeOf(path, signal)
      const stop = end ?? sizeBytes
      if (address === undefined || stop === undefined || stop <= start) {
        options.onStream?.(false)
        return source.stream(path, { start, end, signal })
      }
      const sha256 = sizeBytes === undefined ? undefined : await source.sha256Of?.(path, signal)
      if (sha256 === undefined && options.onlyHashed) {
        options.onStream?.(false)
        return source.stream(path, { start, end, signal })
      }
      const keyFrom = (start: number) =>
        JSON.stringify(sha256 === undefined ? [address, path, sizeBytes, start, stop] : [sha256, start, stop])
      const fetch = (from: number) => source.stream(path, { start: from, end: stop, signal })
      const whole =
        sizeBytes === undefined || sha256 === undefined
          ? undefined
          : { path, key: wholeKey(sizeBytes, sha256), sha256, isAll: start === 0 && stop === sizeBytes }
      return keeper.stream(path, { start, end: stop, signal }, keyFrom, fetch, whole)
    },
    settle: () => keeper.settle(),
  }
}

type Fetch = (from: number) => Promise<ReadableStream<Uint8Array>>

/** A whole file whose hash is known. */
interface WholeFile {
  readonly path: string
  readonly key: string
  readonly sha256: string
  /** Nothing less is wanted. */
  readonly isAll: boolean
}

/** Bytes in the store. */
interface Kept {
  readonly stream: ReadableStream<Uint8Array>
  readonly key: string
  /** The file whose bytes they are, all of them, which had its hash. */
  readonly verified?: WholeFile | undefined
}

/** Bytes on their way into the store. */
interface Writing {
  readonly key: string
  readonly writer: ByteWriter & Partial<ResumedWriter>
  /** Kept only once somebody found that its bytes are right. */
  readonly whole: WholeFile | undefined
}

/** Ends writing for now: another stream, or another visit, goes on where the store can. */
const leave = ({ writer }: Writing) => writer.leave?.() ?? writer.abort()

class Keeper {
  /** What broken streams had written, by the key of the stream that would go on. */
  private readonly broken = new Map<string, Writing>()
  /** Whole files that were written down and wait to be judged, by path. */
  private readonly unjudged = new Map<string, Writing>()
  private readonly ending = new Set<Promise<void>>()

  constructor(private readonly options: KeepOptions) {}

  async stream(
    path: string,
    { start, end, signal }: ByteRange & { start: number; end: number },
    keyFrom: (start: number) => string,
    fetch: Fetch,
    whole?: WholeFile,
  ): Promise<ReadableStream<Uint8Array>> {
    const brokenKey = keyFrom(start)
    const begun = this.broken.get(brokenKey)
    this.broken.delete(brokenKey)
    const kept = begun ? undefined : await this.find(brokenKey, { start, end }, whole)
    this.options.onStream?.(kept !== undefined)
    const sizeBytes = end - start
    if (kept) this.options.onKeep?.({ path, key: kept.key, sizeBytes, sha256: kept.verified?.sha256 })
    if (kept) return this.serve(kept.stream, kept.key, { start, end }, fetch, kept.verified)

    const all = whole?.isAll ? whole : undefined
    const writing = begun ?? (await this.attempt(() => this.begin(all?.key ?? brokenKey, end - start, all)))
    if (writing) this.options.onKeep?.({ path, key: writing.key, sizeBytes, sha256: all?.sha256 })
    const doneBytes = begun ? 0 : (writing?.writer.doneBytes ?? 0)
    let stream: ReadableStream<Uint8Array>
    try {
      stream = doneBytes
        ? joined(
            writing!.writer.readDone!(),
            start + doneBytes < end ? () => fetch(start + doneBytes) : undefined,
          )
        : await fetch(start)
    } catch (error) {
      if (begun) this.park(brokenKey, begun)
      else if (writing) this.end(() => leave(writing))
      throw error
    }
    return writing ? this.record(stream, writing, { start, end, doneBytes, signal }, keyFrom) : stream
  }

  /** Bytes that are kept: as a range, or as part of the whole file. */
  private async find(
    key: string,
    { start, end }: { start: number; end: number },
    whole: WholeFile | undefined,
  ): Promise<Kept | undefined> {
    const { store } = this.options
    if (whole) {
      const stream = await this.attempt(() =>
        whole.isAll ? store.read(whole.key) : store.read(whole.key, { start, end }),
      )
      if (stream) return { stream, key: whole.key, verified: whole.isAll ? whole : undefined }
      if (whole.isAll) return undefined
    }
    const stream = await this.attempt(() => store.read(key))
    return stream && { stream, key }
  }

  private async begin(key: string, sizeBytes: number, whole: WholeFile | undefined): Promise<Writing> {
    const { store } = this.options
    // Without a hash nobody could tell whether what is there and what comes are of one file.
    const writer =
      whole && store.resume ? await store.resume(key, sizeBytes) : await store.write(key, sizeBytes)
    return { key, writer, whole }
  }

  async has(key: string): Promise<boolean> {
    const kept = await this.attempt(() => this.options.store.read(key))
    await kept?.cancel()
    return kept !== undefined
  }

  async judge(path: string, isGood: boolean): Promise<void> {
    const writing = this.unjudged.get(path)
    if (!writing) return
    this.unjudged.delete(path)
    this.end(() => (isGood ? writing.writer.close() : writing.writer.abort()))
    await Promise.all(this.ending)
  }

  async settle(): Promise<void> {
    for (const writing of [...this.broken.values(), ...this.unjudged.values()]) {
      this.end(() => leave(writing))
    }
    this.broken.clear()
    this.unjudged.clear()
    await Promise.all(this.ending)
  }

  /**
   * Streams what is kept. Where it cannot be read to its end it is forgotten, and the rest is fetched; but who reads a whole
   * file that was verified has not hashed its beginning, and has to start again.
   */
  private serve(
    kept: ReadableStream<Uint8Array>,
    key: string,
    { start, end }: { start: number; end: number },
    fetch: Fetch,
    verified: WholeFile | undefined,
  ): ReadableStream<Uint8Array> {
    const { store, onStream } = this.options
    let reader = kept.getReader()
    let isKept = true
    let isCancelled = false
    let at = start
    const next = async () => {
      try {
        const { done, value } = await reader.read()
        if (done && at === end) return undefined
        if (!done && value.byteLength <= end - at) return value
        throw new Error(`${end - start} bytes were kept, ${done ? at - start : 'more'} were read`)
      } catch (error) {
        this.tell(error)
        reader.cancel().catch(() => undefined)
        await this.attempt(() => store.remove(key))
        isKept = false
        if (at === end) return undefined
        if (verified) {
          throw new DamagedCopyError(
            `${verified.path}: expected the copy kept on this device, got ${reasonOf(error)}; it is forgotten, load again`,
          )
        }
        onStream?.(false)
        reader = (await fetch(at)).getReader()
        if (isCancelled) await reader.cancel()
        return (await reader.read()).value
      }
    }
    return onDemand({
      async pull(controller) {
        const value = isKept ? await next() : (await reader.read()).value
        if (!value) return controller.close()
        at += value.byteLength
        controller.enqueue(value)
      },
      cancel(reason) {
        isCancelled = true
        return reader.cancel(reason)
      },
    })
  }

  /** Streams what is fetched, and writes it down on the way; the first `doneBytes` are written. */
  private record(
    stream: ReadableStream<Uint8Array>,
    writing: Writing,
    {
      start,
      end,
      doneBytes,
      signal,
    }: { start: number; end: number; doneBytes: number; signal?: AbortSignal | undefined },
    keyFrom: (start: number) => string,
  ): ReadableStream<Uint8Array> {
    const reader = stream.getReader()
    const { writer, whole } = writing
    let at = start
    let isOpen = true
    let isWriting = false
    /** Called once: the bytes are kept, forgotten, or wait for the stream that goes on. */
    const close = (how: 'keep' | 'forget' | 'wait') => {
      if (!isOpen) return
      isOpen = false
      // What is being written at this moment is counted nowhere yet; `write` ends it.
      if (isWriting) return
      if (how === 'forget') this.end(() => writer.abort())
      else if (how === 'wait') {
        if (signal?.aborted) this.end(() => leave(writing))
        else this.park(keyFrom(at), writing)
      } else if (!whole) this.end(() => writer.close())
      else if (this.unjudged.has(whole.path)) this.end(() => writer.abort())
      else this.unjudged.set(whole.path, writing)
    }
    const write = async (bytes: Uint8Array) => {
      isWriting = true
      let hasFailed = false
      try {
        await writer.write(bytes)
      } catch (error) {
        this.tell(error)
        hasFailed = true
      }
      isWriting = false
      if (hasFailed) {
        isOpen = false
        this.end(() => writer.abort())
      }
      // Cancelled meanwhile.
      else if (!isOpen) this.end(() => leave(writing))
    }
    return onDemand({
      pull: async (controller) => {
        let result: ReadableStreamReadResult<Uint8Array>
        try {
          result = await reader.read()
        } catch (error) {
          close(at === end ? 'keep' : 'wait')
          throw error
        }
        if (result.done) {
          close(at === end ? 'keep' : 'wait')
          await Promise.all(this.ending)
          return controller.close()
        }
        const { value } = result
        if (value.byteLength > end - at) close('forget')
        else if (isOpen && at >= start + doneBytes) await write(value)
        at += value.byteLength
        controller.enqueue(value)
      },
      cancel: (reason) => {
        close(at === end ? 'keep' : 'wait')
        return reader.cancel(reason)
      },
    })
  }

  private park(key: string, writing: Writing): void {
    if (this.broken.has(key)) this.end(() => writing.writer.abort())
    else this.broken.set(key, writing)
  }

  private end(how: () => Promise<void>): void {
    const ended = this.attempt(how).then(() => void this.ending.delete(ended))
    this.ending.add(ended)
  }

  private async attempt<T>(what: () => Promise<T>): Promise<T | undefined> {
    try {
      return await what()
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  private tell(error: unknown): void {
    this.options.onTrouble?.(reasonOf(error))
  }
}

/** A stream that reads no further than its reader asked: what was written down is what was handed on. */
const onDemand = (source: UnderlyingDefaultSource<Uint8Array>) =>
  new ReadableStream<Uint8Array>(source, { highWaterMark: 0 })

/** One stream and then another, which is asked for when the first has ended. */
function joined(
  first: ReadableStream<Uint8Array>,
  then: (() => Promise<ReadableStream<Uint8Array>>) | undefined,
): ReadableStream<Uint8Array> {
  let reader = first.getReader()
  let next = then
  return onDemand({
    async pull(controller) {
      let result = await reader.read()
      if (result.done && next) {
        const following = next
        next = undefined
        reader = (await following()).getReader()
        result = await reader.read()
      }
      if (result.done) controller.close()
      else controller.enqueue(result.value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}
