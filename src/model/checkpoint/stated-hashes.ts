import { CheckpointError } from '../errors'
import type { CheckpointSource } from './source'
import { isJsonObject, parseStrictJson } from './strict-json'

/** SHA-256 of files in hexadecimal, by path, as their origin states them. */
export type StatedHashes = ReadonlyMap<string, string>

/** A text that states hashes, and how to read it. */
export interface HashList {
  readonly url: string
  readonly parse: (text: string, where: string) => StatedHashes
}

const SHA_256 = /^[0-9a-f]{64}$/i

/**
 * The hub's listing of a repository: files in Git LFS are named by their SHA-256; small files, which have none, are left out.
 *
 * Throws: CheckpointError where it is no JSON.
 * Source: huggingface.co/docs/hub/api, /api/models/{repo}/tree/{revision}.
 */
export function parseHubTree(text: string, where: string): StatedHashes {
  const entries = parseStrictJson(text, where)
  const hashes = new Map<string, string>()
  for (const entry of Array.isArray(entries) ? entries : []) {
    if (!isJsonObject(entry) || !isJsonObject(entry.lfs)) continue
    const { oid } = entry.lfs
    if (typeof entry.path === 'string' && typeof oid === 'string' && SHA_256.test(oid)) {
      hashes.set(entry.path, oid.toLowerCase())
    }
  }
  return hashes
}

/** The lines of `sha256sum *`, in text (two blanks) or binary mode (a blank and a star); others are left out. */
export function parseChecksums(text: string): StatedHashes {
  const hashes = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const [, hash, path] = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/i.exec(line) ?? []
    if (hash && path) hashes.set(path, hash.toLowerCase())
  }
  return hashes
}

/** The hub and its mirrors name an LFS file's SHA-256 in `X-Linked-Etag`, where they do not redirect to a file host. */
export function linkedHash(headers: Headers): string | undefined {
  const tag = headers.get('x-linked-etag')?.replace(/^(?:W\/)?"|"$/g, '')
  return tag !== undefined && SHA_256.test(tag) ? tag.toLowerCase() : undefined
}

/** The error of a file whose bytes are not those its origin states. */
export function wrongHash(
  source: CheckpointSource,
  path: string,
  expected: string,
  found: string,
): CheckpointError {
  return new CheckpointError(
    `${source.name}: ${path}: expected bytes of SHA-256 ${expected}, got ${found}; the file was damaged on its way or ` +
      'replaced meanwhile, nothing of it was kept, load again',
  )
}
