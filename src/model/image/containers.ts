import { latin1, viewOf } from './bytes'

/** A chunk of a PNG or RIFF file. */
export interface Chunk {
  readonly type: string
  readonly data: Uint8Array
}

export interface JpegStructure {
  frame?: { width: number; height: number; components: number; precision: number }
  /** Application segments, marker byte and payload. */
  readonly segments: { marker: number; data: Uint8Array }[]
  /** Whether the end-of-image marker was reached. */
  complete: boolean
}

/** Walks the markers of a JPEG file; entropy-coded data are skipped, nothing is decoded. */
export function readJpegStructure(bytes: Uint8Array): JpegStructure {
  const result: JpegStructure = { segments: [], complete: false }
  let at = 2
  while (at + 1 < bytes.length) {
    // Everything up to the next marker is entropy-coded data (0xff 0x00 is a stuffed byte) or stray bytes.
    if (bytes[at] !== 0xff) {
      at = bytes.indexOf(0xff, at)
      if (at < 0) return result
      continue
    }
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at += 1
      continue
    }
    if (marker === 0xd9) {
      result.complete = true
      return result
    }
    if (marker === 0x00 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2
      continue
    }
    if (at + 4 > bytes.length) return result
    const length = bytes[at + 2]! * 256 + bytes[at + 3]!
    const data = bytes.subarray(at + 4, at + 2 + length)
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    if (isFrame && data.length >= 6 && !result.frame) {
      result.frame = {
        precision: data[0]!,
        height: data[1]! * 256 + data[2]!,
        width: data[3]! * 256 + data[4]!,
        components: data[5]!,
      }
    }
    if (marker >= 0xe0 && marker <= 0xef) result.segments.push({ marker, data })
    at += 2 + Math.max(2, length)
  }
  return result
}

/** The chunks of a PNG file in order, up to and including IEND or the end of the bytes. */
export function* readPngChunks(bytes: Uint8Array): Generator<Chunk> {
  const view = viewOf(bytes)
  let at = 8
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at)
    if (at + 12 + length > bytes.length) return
    const type = latin1(bytes.subarray(at + 4, at + 8))
    yield { type, data: bytes.subarray(at + 8, at + 8 + length) }
    if (type === 'IEND') return
    at += 12 + length
  }
}

/** The top-level chunks of a WebP file in order; a last one that is cut short is yielded with what there is. */
export function readWebpChunks(bytes: Uint8Array): Generator<Chunk> {
  return readRiffChunks(bytes.subarray(12))
}

/** RIFF chunks laid end to end, each padded to an even length. */
export function* readRiffChunks(bytes: Uint8Array): Generator<Chunk> {
  const view = viewOf(bytes)
  let at = 0
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at + 4, true)
    yield { type: latin1(bytes.subarray(at, at + 4)), data: bytes.subarray(at + 8, at + 8 + length) }
    at += 8 + length + (length & 1)
  }
}
