import { sha256 } from '../sha256'
import type { CheckpointSource } from './source'

/** Pieces of a large file that are read, spread evenly from its first byte to its last: 1 MiB in all. */
const PIECES = 64
const PIECE_BYTES = 16 * 1024

/**
 * Tells a weight file from any other without reading all of it: files at hand by their size and what stands in 64 places
 * of them, or throughout where they are small; files of a server by their address and size.
 *
 * Throws: what reading the file throws.
 */
export async function fingerprintFile(
  source: CheckpointSource,
  path: string,
  sizeBytes: number,
): Promise<string> {
  if (source.address !== undefined) return `${source.address}${path} ${sizeBytes}`
  const ranges =
    sizeBytes <= PIECES * PIECE_BYTES
      ? [{ start: 0, end: sizeBytes }]
      : Array.from({ length: PIECES }, (_, i) => {
          const start = Math.floor((i * (sizeBytes - PIECE_BYTES)) / (PIECES - 1))
          return { start, end: start + PIECE_BYTES }
        })
  const pieces: ArrayBuffer[] = []
  for (const range of ranges) {
    pieces.push(await new Response(await source.stream(path, range)).arrayBuffer())
  }
  return `${await sha256(new Uint8Array(await new Blob(pieces).arrayBuffer()))} ${sizeBytes}`
}
