import { AbortError, DatasetError } from '../../errors'
import { BlobAccess, throwIfAborted, type RandomAccess } from './access'

/** Keeps a stream where it can be read at any place. Rejects as the stream does. */
export type Spool = (stream: ReadableStream<Uint8Array>, name: string) => Promise<RandomAccess>

/**
 * Of what goes into the unpacker at once: browsers unpack a piece whole before anyone can stop them, and a byte may
 * become a thousand.
 */
const PACKED_BYTES = 64 << 10
/** Each Blob of this size leaves the heap: browsers keep many of them on disk. */
const SPOOL_BYTES = 8 << 20

/** Spools to Blobs. */
export const spoolToBlob: Spool = async (stream, name) => {
  const blobs: Blob[] = []
  let pieces: Uint8Array<ArrayBuffer>[] = []
  let heldBytes = 0
  const flush = () => {
    blobs.push(new Blob(pieces))
    pieces = []
    heldBytes = 0
  }
  await each(stream, (piece) => {
    pieces.push(piece as Uint8Array<ArrayBuffer>)
    heldBytes += piece.length
    if (heldBytes >= SPOOL_BYTES) flush()
  })
  flush()
  return new BlobAccess(new Blob(blobs), name)
}

/** Bytes in order, a chunk when it is asked for. Errors: AbortError. */
export function readStream(access: RandomAccess, signal?: AbortSignal): ReadableStream<Uint8Array> {
  let offset = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        throwIfAborted(signal)
        const end = Math.min(offset + PACKED_BYTES, access.sizeBytes)
        if (end > offset) controller.enqueue(await access.read(offset, end))
        offset = end
        if (offset >= access.sizeBytes) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

/** A zip's entry whose length and checksum are those its directory says; it errors with DatasetError otherwise. */
export function inflate(
  stream: ReadableStream<Uint8Array>,
  entry: { sizeBytes: number; crc32: number; deflated: boolean },
  name: string,
): ReadableStream<Uint8Array> {
  let sizeBytes = 0
  let crc = 0
  const damaged = (what: string) => new DatasetError(`dataset: ${name} ${what}; make the zip again`)
  const check = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      sizeBytes += piece.length
      if (sizeBytes > entry.sizeBytes) throw damaged(`holds more than the ${entry.sizeBytes} bytes it says`)
      crc = crc32(piece, crc)
      controller.enqueue(piece)
    },
    flush() {
      if (sizeBytes < entry.sizeBytes) throw damaged(`holds ${sizeBytes} of ${entry.sizeBytes} bytes`)
      if (crc !== entry.crc32) throw damaged('is damaged: its checksum differs')
    },
  })
  if (!entry.deflated) return stream.pipeThrough(check)
  const unpack = new DecompressionStream('deflate-raw') as unknown as TransformStream<Uint8Array, Uint8Array>
  const unpacked = stream.pipeThrough(unpack).pipeThrough(check)
  const reader = unpacked.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          if (error instanceof DatasetError || error instanceof AbortError) throw error
          throw damaged(`cannot be unpacked (${(error as Error).message})`)
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** Collects a stream of known length. */
export async function readAll(stream: ReadableStream<Uint8Array>, sizeBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes)
  let offset = 0
  await each(stream, (piece) => {
    bytes.set(piece, offset)
    offset += piece.length
  })
  return bytes
}

async function each(stream: ReadableStream<Uint8Array>, take: (piece: Uint8Array) => void): Promise<void> {
  // Not every browser can iterate over a stream.
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    take(value)
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** CRC-32 of bytes behind others whose CRC-32 is `before`. Source: ISO 3309. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}
