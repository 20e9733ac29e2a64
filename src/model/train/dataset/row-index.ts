import { DatasetError } from '../../errors'
import { throwIfAborted, type RandomAccess } from './access'

/** Large enough to keep a disk busy; the only bytes of the file in memory while it is indexed. */
export const CHUNK_BYTES = 1 << 20

/** 200 MB of places; a zip of 50 kB may unpack to as many rows of one byte. */
const MAX_ROWS = 2 ** 24

/** Where each row stands in its file: 12 bytes a row once it is trimmed, so that ten million take 120 MB. */
export class RowIndex {
  length = 0
  private starts = new Float64Array(1024)
  private sizes = new Uint32Array(1024)

  /** Throws: DatasetError beyond MAX_ROWS. */
  add(start: number, sizeBytes: number): void {
    if (this.length === MAX_ROWS) {
      throw new DatasetError(
        `dataset: more than ${MAX_ROWS} rows; split the file, or is it one of rows at all?`,
      )
    }
    if (this.length === this.starts.length) {
      const starts = new Float64Array(2 * this.length)
      const sizes = new Uint32Array(2 * this.length)
      starts.set(this.starts)
      sizes.set(this.sizes)
      this.starts = starts
      this.sizes = sizes
    }
    this.starts[this.length] = start
    // Rows far above the limit are never read, so their exact size does not matter.
    this.sizes[this.length] = Math.min(sizeBytes, 0xffffffff)
    this.length++
  }

  /** Gives back what was kept ready for more rows. */
  trim(): void {
    this.starts = this.starts.slice(0, this.length)
    this.sizes = this.sizes.slice(0, this.length)
  }

  start(row: number): number {
    return this.starts[row]!
  }

  sizeBytes(row: number): number {
    return this.sizes[row]!
  }

  end(row: number): number {
    return this.starts[row]! + this.sizes[row]!
  }
}

/** Finds rows in bytes that come in pieces of any size. */
export interface RowScanner {
  /** `offset` is where the piece stands in the file. */
  push(bytes: Uint8Array, offset: number, rows: RowIndex): void
  /** Throws: DatasetError where the file ends too early. */
  finish(sizeBytes: number, rows: RowIndex): void
}

export interface ReadOptions {
  signal?: AbortSignal | undefined
  onProgress?: ((bytes: number, totalBytes: number) => void) | undefined
}

/**
 * Finds all rows in one pass that holds a chunk at a time.
 *
 * Throws: DatasetError of the scanner, AbortError.
 */
export async function indexRows(
  access: RandomAccess,
  start: number,
  scanner: RowScanner,
  options: ReadOptions = {},
): Promise<RowIndex> {
  const rows = new RowIndex()
  for (let offset = start; offset < access.sizeBytes; offset += CHUNK_BYTES) {
    throwIfAborted(options.signal)
    const end = Math.min(offset + CHUNK_BYTES, access.sizeBytes)
    scanner.push(await access.read(offset, end), offset, rows)
    options.onProgress?.(end, access.sizeBytes)
  }
  scanner.finish(access.sizeBytes, rows)
  rows.trim()
  return rows
}
