import { checkPath, decodeText, type ByteRange, type CheckpointSource } from '../source'

export type FileContents = Record<string, Uint8Array | string>

export interface MemorySource extends CheckpointSource {
  /** Every range asked for. */
  readonly requests: { path: string; start: number; end: number | undefined }[]
  ignoresRanges?: boolean
}

/**
 * A checkpoint source over bytes in memory. `open` may replace the stream of a request, the first having `count` 1,
 * to fail as networks do.
 */
export function memorySource(
  contents: FileContents,
  options: {
    /** Sizes of the stream's chunks, taken in turn. Default: everything at once. */
    chunkBytes?: number[]
    open?: (
      bytes: Uint8Array,
      request: { path: string; start: number; count: number },
    ) => ReadableStream<Uint8Array>
  } = {},
): MemorySource {
  const files = new Map(
    Object.entries(contents).map(([path, data]) => [
      path,
      typeof data === 'string' ? new TextEncoder().encode(data) : data,
    ]),
  )
  const requests: MemorySource['requests'] = []
  let count = 0
  return {
    name: 'memory',
    requests,
    sizeOf: async (path) => files.get(checkPath(path, 'memory'))?.byteLength,
    readText: async (path) => {
      const bytes = files.get(checkPath(path, 'memory'))
      return bytes && decodeText(bytes, path)
    },
    stream: async (path: string, { start = 0, end }: ByteRange = {}) => {
      requests.push({ path, start, end })
      const bytes = files.get(checkPath(path, 'memory'))!.subarray(start, end)
      return options.open?.(bytes, { path, start, count: ++count }) ?? chunked(bytes, options.chunkBytes)
    },
  }
}

/** A stream of copies of the bytes, cut to the given sizes in turn; `then` may end it otherwise than by closing. */
export function chunked(
  bytes: Uint8Array,
  sizes: number[] = [bytes.byteLength],
  then: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void> = (c) => c.close(),
): ReadableStream<Uint8Array> {
  let at = 0
  let turn = 0
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (at >= bytes.byteLength) return then(controller)
      const size = Math.max(1, sizes[turn++ % sizes.length]!)
      controller.enqueue(bytes.slice(at, at + size))
      at += size
    },
  })
}
