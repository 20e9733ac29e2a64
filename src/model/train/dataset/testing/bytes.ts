import { ZipWriter, Uint8ArrayWriter, Uint8ArrayReader } from '@zip.js/zip.js'
import type { RandomAccess } from '../access'

/** UTF-8 of a text. */
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** Bytes in memory. */
export function accessOf(bytes: Uint8Array): RandomAccess {
  return { sizeBytes: bytes.length, read: async (start, end) => bytes.slice(start, end) }
}

/** Pseudo-random numbers below a bound, the same for the same seed. Source: mulberry32. */
export function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below)
  }
}

/** Dropped files of texts and bytes. */
export function filesOf(contents: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>) {
  return Object.entries(contents).map(([path, content]) => ({ path, file: new Blob([content]) }))
}

/** A zip of texts and bytes; `stored` ones are not compressed. */
export async function zipOf(
  contents: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>,
  options: { stored?: (path: string) => boolean; password?: string } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const zip = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false })
  for (const [path, content] of Object.entries(contents)) {
    const bytes = typeof content === 'string' ? utf8(content) : content
    const level = options.stored?.(path) ? 0 : 6
    await zip.add(path, new Uint8ArrayReader(bytes), { level, password: options.password })
  }
  return (await zip.close()) as Uint8Array<ArrayBuffer>
}
