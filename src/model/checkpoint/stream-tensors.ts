import { BlockPool } from './block-pool'
import type { Checkpoint } from './checkpoint'
import { startHashHere, type Hash, type StartHash } from './hasher'
import { DamagedCopyError } from './kept-source'
import { ProgressMeter, type StreamProgress } from './progress'
import { streamRange } from './resume'
import { abortable, reasonOf, throwIfAborted, type Sleep } from './retry'
import type { TensorEntry } from './safetensors'
import { wrongHash } from './stated-hashes'
import { planStream, type Block, type PlannedFile } from './stream-plan'

/** Takes tensors piece by piece. */
export interface TensorSink {
  /**
   * Bytes of a piece, whole rows by custom and at most 8 MiB; undefined to skip the tensor. Asked once for
   * every tensor, before the first byte is fetched.
   */
  chunkBytes(entry: TensorEntry): number | undefined
  /**
   * One piece, `byteOffset` bytes into the tensor; all but the last have `chunkBytes`. `bytes` is a view on a
   * buffer that is filled anew once the promise resolves. Pieces come one at a time, those of one file in the order of
   * its bytes; two files take turns. A tensor comes again from its beginning where a kept copy turned out to be damaged.
   * Tensors without elements are not written.
   */
  write(entry: TensorEntry, byteOffset: number, bytes: Uint8Array<ArrayBuffer>): void | Promise<void>
}

export interface StreamOptions {
  signal?: AbortSignal
  onProgress?: (progress: StreamProgress) => void
  /** Hashes files whose origin states a hash. Default: on this thread. */
  startHash?: StartHash | undefined
  sleep?: Sleep
  stallMs?: number
  /** Milliseconds, for the speed. Default: `performance.now`. */
  now?: () => number
}

export interface StreamReport {
  /** Most bytes of weights held at any time: blocks on their way and a chunk of each connection. */
  peakHostBytes: number
  /** Bytes of weights handed to the sink. */
  writtenBytes: number
  /** Bytes fetched, those between wanted tensors included. */
  fetchedBytes: number
  /** Connections taken up again. */
  resumes: number
  /** Every file that was read from. */
  files: StreamedFile[]
  /** Why files were not hashed whose hash was known. */
  hashTrouble?: string
}

/** A file weights were read from. */
export interface StreamedFile {
  /** Name of its source. */
  readonly source: string
  readonly path: string
  /**
   * What its origin states, and its bytes were found to have. Undefined where none is stated, where only part of the file
   * was wanted, or where nothing could be hashed.
   */
  readonly sha256?: string
}

/** Files fetched at once: what waits for one connection or one hash uses the other, and memory stays small. */
const FILES_AT_ONCE = 2
const BLOCK_BYTES = 4 * 1024 * 1024
/** Of two files each: one that fills, one that waits for the sink, one or two that are hashed. */
const BLOCKS = 8

/**
 * Streams the tensors of one checkpoint or several to a sink: two files at a time, each in the order of its bytes.
 * While the sink takes one block the next ones are fetched. A dropped connection is taken up again at the byte reached.
 *
 * Files whose hash is known are hashed on the way, if all or nearly all of their bytes are wanted. The sink has had the
 * bytes by then: nobody may use them before the promise resolves.
 *
 * Throws: NetworkError when bytes do not come, CheckpointError when a file has not the hash it should have or the sink asks
 * for impossible pieces, AbortError as soon as the signal aborts; whatever the sink throws.
 */
export async function streamTensors(
  checkpoints: Checkpoint | readonly Checkpoint[],
  sink: TensorSink,
  options: StreamOptions = {},
): Promise<StreamReport> {
  const files = [checkpoints]
    .flat()
    .flatMap((checkpoint) => planStream(checkpoint, (entry) => sink.chunkBytes(entry), BLOCK_BYTES))
  const abort = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal
  let failure: { error: unknown } | undefined
  const stop = (error: unknown) => {
    failure ??= { error }
    abort.abort()
  }
  const stream = new TensorStream(files, sink, { ...options, signal }, stop)
  const queue = files.entries()
  const readFiles = async () => {
    for (const [index] of queue) await stream.readFile(index)
  }
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, () => readFiles().catch(stop)))
  if (failure) throw failure.error
  return stream.report
}

class TensorStream {
  readonly report: StreamReport
  private readonly pool: BlockPool
  private readonly meter: ProgressMeter
  /** The sink takes one block at a time; a failure is that of all that wait. */
  private turn: Promise<void> = Promise.resolve()

  constructor(
    private readonly files: readonly PlannedFile[],
    private readonly sink: TensorSink,
    private readonly options: StreamOptions & { signal: AbortSignal },
    private readonly stop: (error: unknown) => void,
  ) {
    const { onProgress = () => undefined, now = () => performance.now() } = options
    const blocks = files.flatMap(({ runs }) => runs.flatMap((run) => run.blocks))
    const largest = blocks.reduce((most, { start, end }) => Math.max(most, end - start), 0)
    this.pool = new BlockPool(largest, BLOCKS, options.signal)
    this.meter = new ProgressMeter(files, onProgress, now)
    this.report = {
      peakHostBytes: 0,
      writtenBytes: 0,
      fetchedBytes: 0,
      resumes: 0,
      files: files.map(({ source, path }) => ({ source: source.name, path })),
    }
  }

  async readFile(index: number): Promise<void> {
    const { source, path, sha256 } = this.files[index]!
    throwIfAborted(this.options.signal)
    this.meter.startFile(index)
    if (sha256 === undefined) return this.readRuns(index, undefined)
    if (await source.copies?.has(path, sha256)) {
      try {
        await this.readRuns(index, undefined)
        return this.tellVerified(index, sha256)
      } catch (error) {
        // The copy is gone; its origin has the file still.
        if (!(error instanceof DamagedCopyError)) throw error
        this.meter.startFile(index)
      }
    }
    // A thread starts while the first bytes are on their way.
    const starting = (this.options.startHash ?? startHashHere)().catch((error: unknown) => {
      this.report.hashTrouble = reasonOf(error)
      return undefined
    })
    const drop = () => void starting.then((hash) => hash?.drop())
    const { signal } = this.options
    signal.addEventListener('abort', drop)
    try {
      await this.readRuns(index, starting)
      const found = await (await starting)?.digest()
      await source.copies?.judge(path, found === sha256)
      if (found === sha256) this.tellVerified(index, sha256)
      else if (found !== undefined) throw wrongHash(source, path, sha256, found)
    } finally {
      signal.removeEventListener('abort', drop)
      drop()
    }
  }

  private tellVerified(index: number, sha256: string): void {
    this.report.files[index] = { ...this.report.files[index]!, sha256 }
  }

  private async readRuns(index: number, hash: Promise<Hash | undefined> | undefined): Promise<void> {
    const { source, path, runs } = this.files[index]!
    const { signal, sleep, stallMs } = this.options
    const writes: Promise<void>[] = []
    for (const { start, end, blocks } of runs) {
      const onResume = () => void this.report.resumes++
      const chunks = streamRange(source, path, { start, end, signal, sleep, stallMs, onResume })
      for await (const [block, bytes] of this.fillBlocks(index, chunks, blocks)) {
        const write = this.write(block, bytes, hash)
        write.catch(this.stop)
        writes.push(write)
      }
    }
    await Promise.all(writes)
  }

  /** Every block with its bytes, which are to be given back to the pool. */
  private async *fillBlocks(
    index: number,
    chunks: AsyncIterable<Uint8Array>,
    blocks: readonly Block[],
  ): AsyncGenerator<[Block, Uint8Array<ArrayBuffer>]> {
    const { pool, report } = this
    const rest = blocks.values()
    let block: Block | undefined
    let bytes = new Uint8Array()
    let filled = 0
    for await (const chunk of chunks) {
      for (let used = 0; used < chunk.byteLength;) {
        if (!block) {
          block = rest.next().value!
          bytes = new Uint8Array(await pool.take(), 0, block.end - block.start)
          filled = 0
        }
        const taken = Math.min(bytes.byteLength - filled, chunk.byteLength - used)
        bytes.set(chunk.subarray(used, used + taken), filled)
        used += taken
        filled += taken
        if (filled < bytes.byteLength) continue
        yield [block, bytes]
        block = undefined
      }
      // A chunk may be a view on a larger block, which is what stays in memory.
      const chunksBytes = Math.min(FILES_AT_ONCE, this.files.length) * chunk.buffer.byteLength
      report.peakHostBytes = Math.max(report.peakHostBytes, pool.heldBytes + chunksBytes)
      report.fetchedBytes += chunk.byteLength
      this.meter.add(index, chunk.byteLength)
    }
  }

  /** Hands a block's pieces to the sink when its turn has come, and the block to the hash. */
  private async write(
    { start: blockStart, pieces }: Block,
    bytes: Uint8Array<ArrayBuffer>,
    starting: Promise<Hash | undefined> | undefined,
  ): Promise<void> {
    const { signal } = this.options
    this.turn = this.turn.then(async () => {
      for (const { entry, byteOffset, start, end } of pieces) {
        throwIfAborted(signal)
        const written = this.sink.write(
          entry,
          byteOffset,
          bytes.subarray(start - blockStart, end - blockStart),
        )
        if (written) await abortable(written, signal)
        this.report.writtenBytes += end - start
      }
    })
    await this.turn
    const hash = await starting
    this.pool.give(hash ? await hash.update(bytes) : bytes.buffer)
  }
}
