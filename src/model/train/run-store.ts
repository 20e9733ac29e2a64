import { TrainingError } from '../errors'

/** What a run is called, what it is made of and how far it is. */
export const INFO_FILE = 'run.json'
/** Everything that a run goes on from. */
export const CHECKPOINT_FILE = 'checkpoint.safetensors'
/** What happened, a line each. */
export const LOG_FILE = 'log.jsonl'

/** Ends the names of files that are being written. */
export const UNFINISHED = '.part'

/** Bytes `start` (default: the first) up to, not including, `end` (default: the file's end). */
export interface FileRange {
  readonly start?: number
  readonly end?: number
}

/**
 * Files of training runs, a folder a run, which outlive the tab or the process. One writer a run; reading is free.
 *
 * What a method has done stays done when the machine dies behind it. Methods reject with TrainingError for lack of room
 * or of permission.
 */
export interface RunFiles {
  /** Folders of runs, in no order. */
  runs(): Promise<string[]>
  /** The file, or as many bytes of a range as it has, in a buffer of their own; undefined where there is no file. */
  read(run: string, name: string, range?: FileRange): Promise<Uint8Array<ArrayBuffer> | undefined>
  /**
   * Replaces the file as a whole: at any moment, readers see the old one or the new one. Makes the run's folder. Chunks
   * are written one after another, and never joined: together they may be larger than a buffer can be.
   */
  write(run: string, name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void>
  /** Adds to the file's end, and makes the file where there is none. Dying meanwhile may leave a part of the text. */
  append(run: string, name: string, text: string): Promise<void>
  /** Keeps the first `sizeBytes` bytes. */
  truncate(run: string, name: string, sizeBytes: number): Promise<void>
  /** Units: bytes. Undefined where there is no such file. */
  size(run: string, name: string): Promise<number | undefined>
  /** Forgets the run with everything in it, if it is there. */
  remove(run: string): Promise<void>
}

/** A name that every file system takes and that stays in its folder. Throws: TrainingError. */
export function checkFileName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name) && !name.endsWith(UNFINISHED)) return name
  throw new TrainingError(
    `runs: expected a name of up to 100 letters, digits, ".", "_" and "-", not ending in "${UNFINISHED}", got ` +
      `${JSON.stringify(name)}; choose another`,
  )
}

/** What `RunFiles.write` was given, as chunks. */
export function chunksOf(bytes: Uint8Array | readonly Uint8Array[]): readonly Uint8Array[] {
  return bytes instanceof Uint8Array ? [bytes] : bytes
}

/** Runs that last as long as the page or the process, for browsers that keep no files. */
export class MemoryRuns implements RunFiles {
  private readonly folders = new Map<string, Map<string, Chunks>>()

  async runs(): Promise<string[]> {
    return [...this.folders.keys()]
  }

  async read(
    run: string,
    name: string,
    { start = 0, end = Infinity }: FileRange = {},
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const chunks = this.find(run, name)
    return chunks && cut(chunks, start, end)
  }

  async write(run: string, name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
    this.keep(
      run,
      name,
      chunksOf(bytes).map((chunk) => chunk.slice()),
    )
  }

  async append(run: string, name: string, text: string): Promise<void> {
    this.keep(run, name, [...(this.find(run, name) ?? []), new TextEncoder().encode(text)])
  }

  async truncate(run: string, name: string, sizeBytes: number): Promise<void> {
    const chunks = this.find(run, name)
    if (chunks) this.keep(run, name, [cut(chunks, 0, sizeBytes)])
  }

  async size(run: string, name: string): Promise<number | undefined> {
    const chunks = this.find(run, name)
    return chunks && sizeOf(chunks)
  }

  async remove(run: string): Promise<void> {
    this.folders.delete(run)
  }

  private find(run: string, name: string): Chunks | undefined {
    return this.folders.get(run)?.get(name)
  }

  private keep(run: string, name: string, chunks: Chunks): void {
    const folder = this.folders.get(checkFileName(run)) ?? new Map<string, Chunks>()
    folder.set(checkFileName(name), chunks)
    this.folders.set(run, folder)
  }
}

type Chunks = readonly Uint8Array[]

const sizeOf = (chunks: Chunks) => chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)

/** Bytes `start` to `end` of all chunks, or as many as there are. */
function cut(chunks: Chunks, start: number, end: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(0, Math.min(end, sizeOf(chunks)) - start))
  let at = -start
  for (const chunk of chunks) {
    if (at >= bytes.byteLength) break
    const part = chunk.subarray(Math.max(0, -at), Math.max(0, bytes.byteLength - at))
    bytes.set(part, Math.max(0, at))
    at += chunk.byteLength
  }
  return bytes
}
