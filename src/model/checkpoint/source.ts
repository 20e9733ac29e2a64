import { CheckpointError } from '../errors'

/**
 * Where a checkpoint's bytes come from. One interface for the hub, a base URL, picked files and a disk folder,
 * so that nothing above knows the difference. Every `path` is relative, with `/` between its parts
 * (see `checkPath`).
 */
export interface CheckpointSource {
  /** Shown to people: `owner/name@revision`, a URL, a folder's name. */
  readonly name: string
  /** URL of the folder, the same from visit to visit; undefined for files at hand. */
  readonly address?: string
  /**
   * True once the server was seen to answer a byte range with the whole file. Skipping ahead then means
   * reading and discarding.
   */
  readonly ignoresRanges?: boolean
  /** Size in bytes, or undefined when the file does not exist. Throws: NetworkError when that cannot be told. */
  sizeOf(path: string, signal?: AbortSignal): Promise<number | undefined>
  /** A small file whole, or undefined when it does not exist. Throws: CheckpointError above `maxBytes` (default 64 MiB). */
  readText(path: string, options?: ReadTextOptions): Promise<string | undefined>
  /**
   * A file as a stream of chunks from `start` (default 0) up to, not including, `end` (default: its end).
   * The chunks may be cut anywhere. Throws: NetworkError when the file does not exist.
   */
  stream(path: string, options?: ByteRange): Promise<ReadableStream<Uint8Array>>
  /**
   * SHA-256 of a file in hexadecimal, as its origin states it; undefined where it states none. Not there for files at
   * hand.
   */
  sha256Of?(path: string, signal?: AbortSignal): Promise<string | undefined>
  /** Of sources that keep what they stream. */
  readonly copies?: VerifiedCopies
}

/** Whole files kept on this device with the hash that their bytes were found to have. */
export interface VerifiedCopies {
  /** True where the next stream of the whole file comes from a copy that had this hash when it was kept. */
  has(path: string, sha256: string): Promise<boolean>
  /** Told when a whole file was streamed and hashed: what was written down of it is kept, or thrown away. */
  judge(path: string, isGood: boolean): Promise<void>
}

export interface ReadTextOptions {
  signal?: AbortSignal
  maxBytes?: number
}

export interface ByteRange {
  start?: number
  end?: number
  signal?: AbortSignal
}

/** `maxBytes` of `readText` where the caller names none. */
export const MAX_TEXT_BYTES = 64 * 1024 * 1024

/** A repository on the hub or one of its mirrors. */
export interface HubLocation {
  kind: 'hub'
  /** `owner/name`, or `owner/name@revision`. */
  repo: string
  revision?: string
  endpoint?: string
  token?: string
}

/** A folder served over HTTP. */
export interface UrlLocation {
  kind: 'url'
  baseUrl: string
}

/** Files picked or dropped by the visitor. */
export interface FilesLocation {
  kind: 'files'
  name: string
  files: { path: string; file: File }[]
}

/**
 * Refuses a path that could lead out of the checkpoint's folder: absolute, a URL, with backslashes, control
 * characters, or empty, `.` and `..` parts. Every source calls it before it touches anything.
 *
 * Throws: CheckpointError.
 */
export function checkPath(path: string, where: string): string {
  const parts = path.split('/')
  const isSafe =
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    !/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(path) &&
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    !/[\\\u0000-\u001f\u007f]/.test(path) &&
    path.isWellFormed()
  if (!isSafe) {
    throw new CheckpointError(
      `${where}: expected a file path inside the checkpoint's folder, got ${JSON.stringify(path)}; ` +
        'do not load this checkpoint unless you trust where it comes from',
    )
  }
  return path
}

/**
 * Decodes a text file's bytes.
 *
 * Throws: CheckpointError when they are not UTF-8.
 */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CheckpointError(`${where}: expected UTF-8 text, got other bytes; download the file again`)
  }
}

/** The error of a text file above `maxBytes`. */
export function textTooLarge(where: string, maxBytes: number, sizeBytes: number): CheckpointError {
  return new CheckpointError(
    `${where}: expected a text file of at most ${maxBytes} bytes, got ${sizeBytes}; ` +
      'check that this is a checkpoint folder and that the file is what its name says',
  )
}
