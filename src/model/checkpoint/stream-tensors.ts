import { CheckpointError } from '../errors'
import type { Checkpoint } from './checkpoint'
import { ProgressMeter, type StreamProgress } from './progress'
import { streamRange } from './resume'
import { abortable, throwIfAborted, type Sleep } from './retry'
import type { TensorEntry } from './safetensors'
import type { CheckpointSource } from './source'

/** Takes tensors piece by piece. */
export interface TensorSink {
  /**
   * Bytes of a piece, whole rows by custom and at most 8 MiB; undefined to skip the tensor. Asked once for
   * every tensor, before the first byte is fetched.
   */
  chunkBytes(entry: TensorEntry): number | undefined
  /**
   * One piece, `byteOffset` bytes into the tensor; all but the last have `chunkBytes`. `bytes` is a view on a
   * buffer that is filled anew once the promise resolves. Tensors without elements are not written.
   */
  write(entry: TensorEntry, byteOffset: number, bytes: Uint8Array<ArrayBuffer>): void | Promise<void>
}

export interface StreamOptions {
  signal?: AbortSignal
  onProgress?: (progress: StreamProgress) => void
  sleep?: Sleep
  stallMs?: number
  /** Milliseconds, for the speed. Default: `performance.now`. */
  now?: () => number
}

export interface StreamReport {
  /** Most bytes of weights held at any time: the staging buffer and one chunk of the network's. */
  peakHostBytes: number
  /** Bytes of weights handed to the sink. */
  writtenBytes: number
  /** Bytes fetched, those between wanted tensors included. */
  fetchedBytes: number
  /** Connections taken up again. */
  resumes: number
}

/** A gap between wanted tensors up to this size is read and thrown away; a larger one is worth a new request. */
export const MAX_READ_GAP_BYTES = 1024 * 1024

/** Bounds the staging buffer whatever a sink asks for. */
const MAX_PIECE_BYTES = 32 * 1024 * 1024

interface Wanted {
  entry: TensorEntry
  pieceBytes: number
}

/** Tensors near enough in one file to be fetched by one request. */
interface Run {
  start: number
  end: number
  wanted: Wanted[]
}

/**
 * Streams the tensors of one checkpoint or several to a sink: file by file, in the order of their bytes, one piece at a
 * time. A dropped connection is taken up again at the byte reached.
 *
 * Throws: NetworkError when bytes do not come, CheckpointError when the sink asks for impossible pieces,
 * AbortError as soon as the signal aborts; whatever the sink throws.
 */
export async function streamTensors(
  checkpoints: Checkpoint | readonly Checkpoint[],
  sink: TensorSink,
  options: StreamOptions = {},
): Promise<StreamReport> {
  const { signal, sleep, stallMs, onProgress = () => undefined, now = () => performance.now() } = options
  const files = [checkpoints].flat().flatMap((checkpoint) => planFiles(checkpoint, sink))
  const largest = Math.max(0, ...files.flatMap(({ runs }) => runs.map(largestPiece)))
  const staging = new Uint8Array(largest)
  const report: StreamReport = { peakHostBytes: largest, writtenBytes: 0, fetchedBytes: 0, resumes: 0 }
  const meter = new ProgressMeter(files, onProgress, now)

  for (const [index, { source, path, runs }] of files.entries()) {
    throwIfAborted(signal)
    meter.startFile(index)
    for (const run of runs) {
      const cutter = new Cutter(run, staging)
      const range = {
        start: run.start,
        end: run.end,
        signal,
        sleep,
        stallMs,
        onResume: () => void report.resumes++,
      }
      for await (const chunk of streamRange(source, path, range)) {
        // A chunk may be a view on a larger block, which is what stays in memory.
        report.peakHostBytes = Math.max(report.peakHostBytes, staging.byteLength + chunk.buffer.byteLength)
        for (const { entry, byteOffset, bytes } of cutter.cut(chunk)) {
          throwIfAborted(signal)
          const written = sink.write(entry, byteOffset, bytes)
          if (written) await abortable(written, signal)
          report.writtenBytes += bytes.byteLength
        }
        throwIfAborted(signal)
        report.fetchedBytes += chunk.byteLength
        meter.add(chunk.byteLength)
      }
    }
  }
  return report
}

interface PlannedFile {
  source: CheckpointSource
  path: string
  bytes: number
  runs: Run[]
}

function planFiles(checkpoint: Checkpoint, sink: TensorSink): PlannedFile[] {
  const { source } = checkpoint
  const byFile = new Map<string, Wanted[]>()
  for (const entry of checkpoint.tensors.values()) {
    const chunkBytes = sink.chunkBytes(entry)
    const sizeBytes = entry.end - entry.start
    if (chunkBytes === undefined || sizeBytes === 0) continue
    const pieceBytes = Math.min(chunkBytes, sizeBytes)
    if (!Number.isSafeInteger(chunkBytes) || pieceBytes < 1 || pieceBytes > MAX_PIECE_BYTES) {
      throw new CheckpointError(
        `${entry.name}: expected pieces of 1 to ${MAX_PIECE_BYTES} bytes, the sink asks for ${chunkBytes}; ` +
          'cut its rows into smaller pieces',
      )
    }
    const wanted = byFile.get(entry.file) ?? []
    wanted.push({ entry, pieceBytes })
    byFile.set(entry.file, wanted)
  }
  const gapBytes = source.ignoresRanges ? Infinity : MAX_READ_GAP_BYTES
  return checkpoint.files.flatMap(({ path }) => {
    const wanted = byFile.get(path)
    if (!wanted) return []
    const runs = joinRuns(wanted, gapBytes)
    return [{ source, path, runs, bytes: runs.reduce((sum, run) => sum + run.end - run.start, 0) }]
  })
}

function joinRuns(wanted: readonly Wanted[], gapBytes: number): Run[] {
  const runs: Run[] = []
  for (const item of [...wanted].sort((a, b) => a.entry.start - b.entry.start)) {
    const { start, end } = item.entry
    const last = runs.at(-1)
    // Tensors on the same bytes are fetched once each.
    if (last && start >= last.end && start - last.end <= gapBytes) {
      last.end = end
      last.wanted.push(item)
    } else {
      runs.push({ start, end, wanted: [item] })
    }
  }
  return runs
}

function largestPiece(run: Run): number {
  return run.wanted.reduce((most, { pieceBytes }) => Math.max(most, pieceBytes), 0)
}

/** Cuts the chunks of a run's stream, whatever their sizes, into the pieces the sink asked for. */
class Cutter {
  readonly #wanted: readonly Wanted[]
  readonly #staging: Uint8Array<ArrayBuffer>
  #next = 0
  /** Position in the file. */
  #at: number
  #filled = 0

  constructor(run: Run, staging: Uint8Array<ArrayBuffer>) {
    this.#wanted = run.wanted
    this.#staging = staging
    this.#at = run.start
  }

  /** The pieces that `chunk` completes. Each is used up before the next is asked for. */
  *cut(chunk: Uint8Array): Generator<{
    entry: TensorEntry
    byteOffset: number
    bytes: Uint8Array<ArrayBuffer>
  }> {
    let used = 0
    while (used < chunk.byteLength && this.#next < this.#wanted.length) {
      const { entry, pieceBytes } = this.#wanted[this.#next]!
      if (this.#at < entry.start) {
        const skipped = Math.min(entry.start - this.#at, chunk.byteLength - used)
        used += skipped
        this.#at += skipped
        continue
      }
      const taken = Math.min(pieceBytes - this.#filled, entry.end - this.#at, chunk.byteLength - used)
      this.#staging.set(chunk.subarray(used, used + taken), this.#filled)
      used += taken
      this.#at += taken
      this.#filled += taken
      const isLast = this.#at === entry.end
      if (this.#filled < pieceBytes && !isLast) continue
      const bytes = this.#staging.subarray(0, this.#filled)
      const byteOffset = this.#at - this.#filled - entry.start
      this.#filled = 0
      if (isLast) this.#next++
      yield { entry, byteOffset, bytes }
    }
  }
}
