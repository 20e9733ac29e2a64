import { CheckpointError } from '../errors'

/** A file inside a zip archive, stored as it is. */
export interface ZipEntry {
  readonly name: string
  /** Where its local header begins, counted from the start of the archive. */
  readonly headerOffset: number
  readonly nameBytes: number
  readonly sizeBytes: number
  /** Where what follows it begins: the next entry's header, or the directory. */
  readonly nextOffset: number
}

export type ReadBytes = (start: number, end: number) => Promise<Uint8Array>

const LOCAL_HEADER = 0x04034b50
const LOCAL_HEADER_BYTES = 30
const DIRECTORY_ENTRY = 0x02014b50
const DIRECTORY_ENTRY_BYTES = 46
const END = 0x06054b50
const END_BYTES = 22
const END_64 = 0x06064b50
const END_64_BYTES = 56
const LOCATOR_64 = 0x07064b50
const LOCATOR_64_BYTES = 20
const ZIP64_EXTRA = 0x0001
const UNSET_16 = 0xffff
const UNSET_32 = 0xffffffff

/** Read at once from the archive's end: its comment may take 64 KiB, and most directories of checkpoints fit as well. */
const TAIL_BYTES = END_BYTES + 65_535
/** A directory entry of a checkpoint takes about 90 bytes, and three times that in memory. */
const MAX_DIRECTORY_BYTES = 16 * 2 ** 20

/**
 * Reads a zip archive's directory by byte ranges. Only stored entries are taken, each lying wholly before the directory
 * and overlapping no other, so that nothing an archive claims can grow beyond the archive.
 *
 * Throws: CheckpointError naming what is malformed.
 */
export async function readZipDirectory(
  read: ReadBytes,
  fileSize: number,
  where: string,
): Promise<ReadonlyMap<string, ZipEntry>> {
  const tailStart = Math.max(0, fileSize - TAIL_BYTES)
  const tail = await read(tailStart, fileSize)
  const { count, offset, sizeBytes } = await findDirectory(read, tail, tailStart, where)
  const directory =
    offset >= tailStart
      ? tail.subarray(offset - tailStart, offset - tailStart + sizeBytes)
      : await read(offset, offset + sizeBytes)
  const entries = parseDirectory(directory, count, where)
  return checkLayout(entries, offset, where)
}

/** First byte of an entry's data, from a piece of the archive that begins with its local header. */
export function dataOffsetIn(entry: ZipEntry, bytes: Uint8Array, where: string): number {
  const view = viewOf(bytes)
  if (bytes.byteLength < LOCAL_HEADER_BYTES || view.getUint32(0, true) !== LOCAL_HEADER) {
    throw malformed(where, `a local header for ${entry.name} at byte ${entry.headerOffset}, got other bytes`)
  }
  const start = LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true)
  if (
    view.getUint16(26, true) !== entry.nameBytes ||
    start + entry.sizeBytes > entry.nextOffset - entry.headerOffset
  ) {
    throw malformed(where, `the local header of ${entry.name} to agree with the directory, got another`)
  }
  return start
}

/** Bytes of a local header that are enough for `dataOffsetIn`. */
export const LOCAL_HEADER_READ_BYTES = LOCAL_HEADER_BYTES

/** Widths of a data descriptor behind an entry: none, with or without signature, 32 or 64 bit sizes. */
const DESCRIPTOR_BYTES = [0, 12, 16, 20, 24]
/** Extra fields of a local header before the padding: its own header, and sizes and offset where they need 64 bits. */
const EXTRA_BYTES = [4, 16, 24, 32]
const ALIGNMENT = 64

/**
 * First byte of an entry's data in an archive written by torch.save, which pads local headers so that data begins at
 * multiples of 64. Two estimates, from the entry's header and from what follows it, have to agree; undefined where
 * they do not, and the local header has to be read.
 *
 * Source: PyTorch caffe2/serialize/inline_container.cc, getPadding.
 */
export function alignedDataStart(entry: ZipEntry): number | undefined {
  const lowest = entry.headerOffset + LOCAL_HEADER_BYTES + entry.nameBytes
  const fromHeader = new Set(EXTRA_BYTES.map((extra) => Math.ceil((lowest + extra) / ALIGNMENT) * ALIGNMENT))
  const fromNext = DESCRIPTOR_BYTES.map((descriptor) => entry.nextOffset - descriptor - entry.sizeBytes)
  return fromNext.find((start) => fromHeader.has(start))
}

async function findDirectory(
  read: ReadBytes,
  tail: Uint8Array,
  tailStart: number,
  where: string,
): Promise<{ count: number; offset: number; sizeBytes: number }> {
  const view = viewOf(tail)
  let at = tail.byteLength - END_BYTES
  // The comment's length has to lead to the very end: a signature inside a comment does not count.
  while (
    at >= 0 &&
    !(view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === tail.byteLength)
  )
    at--
  if (at < 0) {
    throw malformed(where, "a zip archive's directory at the file's end, got other bytes", CUT_SHORT)
  }
  let directory = {
    count: view.getUint16(at + 10, true),
    sizeBytes: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  }
  let endOffset = tailStart + at
  const isUnset =
    directory.count === UNSET_16 || directory.sizeBytes === UNSET_32 || directory.offset === UNSET_32
  const locator = at - LOCATOR_64_BYTES
  if (locator >= 0 && view.getUint32(locator, true) === LOCATOR_64) {
    endOffset = integerAt(view, locator + 8, where)
    if (endOffset + END_64_BYTES > tailStart + locator) {
      throw malformed(where, 'a zip64 directory before its locator, got one behind it')
    }
    const end64 = viewOf(await read(endOffset, endOffset + END_64_BYTES))
    if (end64.getUint32(0, true) !== END_64) throw malformed(where, 'a zip64 directory, got other bytes')
    directory = {
      count: integerAt(end64, 32, where),
      sizeBytes: integerAt(end64, 40, where),
      offset: integerAt(end64, 48, where),
    }
  } else if (isUnset) {
    throw malformed(where, 'a zip64 directory, got none')
  }
  const { count, offset, sizeBytes } = directory
  if (
    sizeBytes > MAX_DIRECTORY_BYTES ||
    count * DIRECTORY_ENTRY_BYTES > sizeBytes ||
    offset + sizeBytes > endOffset
  ) {
    throw malformed(
      where,
      `a directory of ${count} entries before byte ${endOffset}, got ${sizeBytes} bytes at ${offset}`,
    )
  }
  return directory
}

interface RawEntry {
  name: string
  nameBytes: number
  headerOffset: number
  sizeBytes: number
}

function parseDirectory(bytes: Uint8Array, count: number, where: string): RawEntry[] {
  const view = viewOf(bytes)
  const entries: RawEntry[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + DIRECTORY_ENTRY_BYTES > bytes.byteLength || view.getUint32(at, true) !== DIRECTORY_ENTRY) {
      throw malformed(where, `${count} directory entries, got ${i}`)
    }
    const nameBytes = view.getUint16(at + 28, true)
    const extraBytes = view.getUint16(at + 30, true)
    const extraAt = at + DIRECTORY_ENTRY_BYTES + nameBytes
    const next = extraAt + extraBytes + view.getUint16(at + 32, true)
    if (next > bytes.byteLength)
      throw malformed(where, `entry ${i} inside the directory, got one beyond its end`)
    const name = decodeName(bytes.subarray(at + DIRECTORY_ENTRY_BYTES, extraAt), where)
    const flags = view.getUint16(at + 8, true)
    const method = view.getUint16(at + 10, true)
    if ((flags & 1) !== 0 || method !== 0) {
      throw malformed(
        where,
        `${name} stored as it is, got it ${flags & 1 ? 'encrypted' : `compressed (method ${method})`}`,
        'save the file again with torch.save',
      )
    }
    const fields = zip64Fields(view, at, extraAt, extraBytes, where)
    if (fields.packedBytes !== fields.sizeBytes) {
      throw malformed(where, `${name} stored in ${fields.sizeBytes} bytes, got ${fields.packedBytes}`)
    }
    entries.push({ name, nameBytes, headerOffset: fields.headerOffset, sizeBytes: fields.sizeBytes })
    at = next
  }
  return entries
}

/** Sizes and offset, taken from the zip64 field where they do not fit into 32 bits. */
function zip64Fields(view: DataView, at: number, extraAt: number, extraBytes: number, where: string) {
  const narrow = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)]
  if (narrow.includes(UNSET_32)) {
    const end = extraAt + extraBytes
    let field = extraAt
    while (field + 4 <= end && view.getUint16(field, true) !== ZIP64_EXTRA)
      field += 4 + view.getUint16(field + 2, true)
    const fieldEnd = field + 4 <= end ? field + 4 + view.getUint16(field + 2, true) : field
    let value = field + 4
    for (const [i, number] of narrow.entries()) {
      if (number !== UNSET_32) continue
      if (value + 8 > fieldEnd || fieldEnd > end)
        throw malformed(where, 'a zip64 field with 64-bit sizes, got none')
      narrow[i] = integerAt(view, value, where)
      value += 8
    }
  }
  const [sizeBytes, packedBytes, headerOffset] = narrow as [number, number, number]
  return { sizeBytes, packedBytes, headerOffset }
}

function checkLayout(raw: RawEntry[], directoryOffset: number, where: string): ReadonlyMap<string, ZipEntry> {
  const sorted = [...raw].sort((a, b) => a.headerOffset - b.headerOffset)
  const entries = new Map<string, ZipEntry>()
  for (const [i, entry] of sorted.entries()) {
    const nextOffset = sorted[i + 1]?.headerOffset ?? directoryOffset
    if (entry.headerOffset + LOCAL_HEADER_BYTES + entry.nameBytes + entry.sizeBytes > nextOffset) {
      throw malformed(
        where,
        `${entry.name} to end before byte ${nextOffset}, got ${entry.sizeBytes} bytes that do not fit`,
      )
    }
    if (entries.has(entry.name)) throw malformed(where, `${entry.name} once, got it twice`)
    entries.set(entry.name, { ...entry, nextOffset })
  }
  return entries
}

function decodeName(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed(where, 'names in UTF-8, got other bytes')
  }
}

function integerAt(view: DataView, at: number, where: string): number {
  const value = view.getBigUint64(at, true)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(where, `sizes below 2^53, got ${value}`)
  return Number(value)
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const CUT_SHORT = 'the file is cut short or no PyTorch checkpoint, download it again'

function malformed(where: string, expected: string, advice = 'download the file again'): CheckpointError {
  return new CheckpointError(`${where}: expected ${expected}; ${advice}`)
}
