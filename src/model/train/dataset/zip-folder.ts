import { ZipReader, type FileEntry } from '@zip.js/zip.js/lib/zip-core-reader.js'
import { AbortError, DatasetError } from '../../errors'
import { megabytes, RangeAccess, throwIfAborted, type RandomAccess } from './access'
import { expectPictureSize, isHidden, listedPath, type Folder } from './folder'
import { pathInside } from './pictures'
import { inflate, readAll, readStream, spoolToBlob, type Spool } from './zip-entry'

/** Of an annotation file in a zip; a longer one has to be unpacked first. */
const MAX_SPOOLED_BYTES = 4 * 2 ** 30
/** A deflated byte becomes 1032 at most, a stored one remains one. */
const MOST_INFLATED = 1032
/** Files of a zip; the entries of more than a million pictures take 300 MB. */
const MAX_ENTRIES = 2 ** 21
const STORED = 0
const DEFLATED = 8
const LOCAL_HEADER_BYTES = 30
const LOCAL_HEADER_SIGNATURE = 0x04034b50

export interface ZipOptions {
  signal?: AbortSignal | undefined
  /** Where a compressed annotation file is unpacked to; Blobs where undefined. */
  spool?: Spool | undefined
}

/** What reading an entry takes: an entry of the library holds 7 KB, too much for half a million pictures. */
interface Entry {
  readonly offset: number
  readonly compressedBytes: number
  readonly sizeBytes: number
  readonly crc32: number
  /** Compression method; -1 for an encrypted entry. */
  readonly method: number
}

/**
 * Files of a zip that is read where it lies: its directory once, then an entry at a time.
 *
 * Throws: DatasetError where it is no zip or is damaged; AbortError.
 */
export async function openZip(access: RandomAccess, name: string, options: ZipOptions = {}): Promise<Folder> {
  const reader = new ZipReader(
    {
      size: access.sizeBytes,
      init: async () => {},
      readUint8Array: (start: number, length: number) =>
        access.read(Math.min(start, access.sizeBytes), Math.min(start + length, access.sizeBytes)),
    } as unknown as ConstructorParameters<typeof ZipReader>[0],
    // Names are only compared with those that rows give: none is ever written to.
    { useWebWorkers: false, filenameValidation: 'tolerant' },
  )
  const entries = new Map<string, Entry>()
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      throwIfAborted(options.signal)
      const path = pathInside(listedPath(entry.filename))
      if (entry.directory || entry.symlink || path === undefined) continue
      if (entries.size === MAX_ENTRIES) {
        throw new DatasetError(`dataset: ${name} holds more than ${MAX_ENTRIES} files; split it`)
      }
      entries.set(path, compact(entry))
    }
  } catch (error) {
    if (error instanceof DatasetError || error instanceof AbortError) throw error
    throw new DatasetError(
      `dataset: ${name} cannot be read as a zip (${(error as Error).message}); make it again`,
    )
  } finally {
    await reader.close()
  }
  return new ZipFolder(access, name, entries, options.spool ?? spoolToBlob)
}

function compact(entry: FileEntry): Entry {
  return {
    offset: entry.offset,
    compressedBytes: entry.compressedSize,
    sizeBytes: entry.uncompressedSize,
    crc32: entry.crc32 ?? entry.signature ?? 0,
    method: entry.encrypted ? -1 : entry.compressionMethod,
  }
}

class ZipFolder implements Folder {
  constructor(
    private readonly access: RandomAccess,
    readonly name: string,
    private readonly entries: ReadonlyMap<string, Entry>,
    private readonly spool: Spool,
  ) {}

  async paths(): Promise<readonly string[]> {
    return [...this.entries.keys()].filter((path) => !isHidden(path))
  }

  async sizeOf(path: string): Promise<number | undefined> {
    return this.entries.get(listedPath(path))?.sizeBytes
  }

  async bytes(path: string): Promise<Uint8Array> {
    const entry = this.find(path)
    expectPictureSize(path, entry.sizeBytes)
    // Compressed bytes beyond that would be no picture of this size either.
    expectPictureSize(path, entry.compressedBytes)
    return readAll(this.unpacked(await this.packed(path, entry), entry, path), entry.sizeBytes)
  }

  async open(path: string, signal?: AbortSignal): Promise<RandomAccess> {
    const entry = this.find(path)
    const packed = await this.packed(path, entry)
    if (entry.method === STORED) return packed
    if (entry.sizeBytes > MAX_SPOOLED_BYTES) {
      throw new DatasetError(
        `dataset: ${path} in ${this.name} takes ${megabytes(entry.sizeBytes)} unpacked, more than ` +
          `${megabytes(MAX_SPOOLED_BYTES)}; unpack the zip and give its files`,
      )
    }
    return this.spool(this.unpacked(packed, entry, path, signal), path)
  }

  close(): Promise<void> {
    return this.access.close?.() ?? Promise.resolve()
  }

  private unpacked(packed: RandomAccess, entry: Entry, path: string, signal?: AbortSignal) {
    const stream = readStream(packed, signal)
    return inflate(stream, { ...entry, deflated: entry.method === DEFLATED }, `${path} in ${this.name}`)
  }

  private find(path: string): Entry {
    const entry = this.entries.get(listedPath(path))
    if (!entry) throw new DatasetError(`dataset: ${path} is not in ${this.name}; add it`)
    if (entry.sizeBytes > (entry.compressedBytes + 1) * MOST_INFLATED) {
      throw new DatasetError(
        `dataset: ${path} in ${this.name} says it holds more than its bytes can; make the zip again`,
      )
    }
    if (entry.method !== STORED && entry.method !== DEFLATED) {
      const how = entry.method < 0 ? 'is encrypted' : `is compressed by method ${entry.method}`
      throw new DatasetError(`dataset: ${path} in ${this.name} ${how}; make the zip with plain deflate`)
    }
    return entry
  }

  /** Names and extra fields before the data may differ from those of the directory. Source: APPNOTE.TXT 4.3.7. */
  private async packed(path: string, entry: Entry): Promise<RandomAccess> {
    const end = Math.min(entry.offset + LOCAL_HEADER_BYTES, this.access.sizeBytes)
    const header = await this.access.read(Math.min(entry.offset, end), end)
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
    if (header.length === LOCAL_HEADER_BYTES && view.getUint32(0, true) === LOCAL_HEADER_SIGNATURE) {
      const start = end + view.getUint16(26, true) + view.getUint16(28, true)
      if (start + entry.compressedBytes <= this.access.sizeBytes) {
        return new RangeAccess(this.access, start, entry.compressedBytes)
      }
    }
    throw new DatasetError(`dataset: ${this.name} is damaged at ${path}; make the zip again`)
  }
}
