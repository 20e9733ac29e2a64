/**
 * Where a checkpoint's bytes come from. One interface for the hub, a base URL, picked files and a disk folder,
 * so that nothing above knows the difference.
 */
export interface CheckpointSource {
  /** Shown to people: `owner/name@revision`, a URL, a folder's name. */
  readonly name: string
  /** Size in bytes, or undefined when the file does not exist. Throws: NetworkError when that cannot be told. */
  sizeOf(path: string, signal?: AbortSignal): Promise<number | undefined>
  /** A small file whole, or undefined when it does not exist. Throws: CheckpointError above `maxBytes` (default 64 MiB). */
  readText(path: string, options?: { signal?: AbortSignal; maxBytes?: number }): Promise<string | undefined>
  /** A file as a stream of chunks from `start` (default 0) up to, not including, `end` (default: its end). */
  stream(path: string, options?: { start?: number; end?: number; signal?: AbortSignal }): Promise<ReadableStream<Uint8Array>>
}
