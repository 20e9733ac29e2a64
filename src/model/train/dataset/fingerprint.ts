import { sha256 } from '../../sha256'

/**
 * SHA-256 over words and bytes, in hexadecimal; each counts with its length, so that no two lists of them agree by
 * where they are cut.
 */
export async function fingerprintOf(
  words: Iterable<string>,
  bytes: readonly Uint8Array[] = [],
): Promise<string> {
  const encoder = new TextEncoder()
  const parts = [...Array.from(words, (word) => encoder.encode(word)), ...bytes]
  const all = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0))
  const view = new DataView(all.buffer)
  let offset = 0
  for (const part of parts) {
    view.setUint32(offset, part.length)
    all.set(part, offset + 4)
    offset += 4 + part.length
  }
  return sha256(all)
}
