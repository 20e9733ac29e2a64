import { TrainingError } from '../errors'

/** What a run is called, what it is made of and how far it is. */
export const INFO_FILE = 'run.json'
/** Everything that a run goes on from. */
export const CHECKPOINT_FILE = 'checkpoint.safetensors'
/** What happened, a line each. */
export const LOG_FILE = 'log.jsonl'

/** Ends the names of files that are being written. */
export const UNFINISHED = '.part'

/**
 * Files of training runs, a folder a run, which outlive the tab or the process. One writer a run; reading is free.
 *
 * What a method has done stays done when the machine dies behind it. Methods reject with TrainingError for lack of room
 * or of permission.
 */
export interface RunFiles {
  /** Folders of runs, in no order. */
  runs(): Promise<string[]>
  /** The file, or its first `end` bytes; undefined where there is none. */
  read(run: string, name: string, end?: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** Replaces the file as a whole: at any moment, readers see the old one or the new one. Makes the run's folder. */
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
  private readonly folders = new Map<string, Map<string, Uint8Array<ArrayBuffer>>>()

  async runs(): Promise<string[]> {
    return [...this.folders.keys()]
  }

  async read(run: string, name: string, end?: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.find(run, name)?.slice(0, end)
  }

  async write(run: string, name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
    this.keep(run, name, joined(chunksOf(bytes)))
  }

  async append(run: string, name: string, text: string): Promise<void> {
    const before = this.find(run, name) ?? new Uint8Array()
    this.keep(run, name, joined([before, new TextEncoder().encode(text)]))
  }

  async truncate(run: string, name: string, sizeBytes: number): Promise<void> {
    const before = this.find(run, name)
    if (before && before.byteLength > sizeBytes) this.keep(run, name, before.slice(0, sizeBytes))
  }

  async size(run: string, name: string): Promise<number | undefined> {
    return this.find(run, name)?.byteLength
  }

  async remove(run: string): Promise<void> {
    this.folders.delete(run)
  }

  private find(run: string, name: string): Uint8Array<ArrayBuffer> | undefined {
    return this.folders.get(run)?.get(name)
  }

  private keep(run: string, name: string, bytes: Uint8Array<ArrayBuffer>): void {
    const folder = this.folders.get(checkFileName(run)) ?? new Map<string, Uint8Array<ArrayBuffer>>()
    folder.set(checkFileName(name), bytes)
    this.folders.set(run, folder)
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.byteLength
  }
  return all
}
