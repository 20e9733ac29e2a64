import { AbortError, DatasetError } from '../../errors'

/** Bytes that are read where they lie. */
export interface RandomAccess {
  readonly sizeBytes: number
  /** Bytes `start` to `end`, the latter excluded; both lie within the size. Throws: DatasetError. */
  read(start: number, end: number): Promise<Uint8Array>
  /** Lets go of what it was read from. */
  close?(): Promise<void>
}

/** A Blob, a File or a part of one: the browser reads it from disk when asked. */
export class BlobAccess implements RandomAccess {
  readonly sizeBytes: number

  constructor(
    private readonly blob: Blob,
    private readonly name: string,
  ) {
    this.sizeBytes = blob.size
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.blob.slice(start, end).arrayBuffer())
    } catch (error) {
      throw unreadable(this.name, error)
    }
  }
}

/** A range of other bytes. */
export class RangeAccess implements RandomAccess {
  constructor(
    private readonly whole: RandomAccess,
    private readonly start: number,
    readonly sizeBytes: number,
  ) {}

  read(start: number, end: number): Promise<Uint8Array> {
    return this.whole.read(this.start + start, this.start + end)
  }
}

/** The error of a file that went away or changed after it was chosen. */
export function unreadable(name: string, error: unknown): DatasetError {
  const cause = error instanceof Error ? error.message : String(error)
  return new DatasetError(
    `dataset: ${name} cannot be read (${cause}); was it moved or changed? Choose it again`,
  )
}

/** Throws: AbortError where the reader of the data has cancelled. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError('dataset: reading was cancelled')
}

/** 1234567 -> `1.2 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`
}
