import { open, readFile, stat, type FileHandle } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import {
  checkPath,
  decodeText,
  MAX_TEXT_BYTES,
  textTooLarge,
  type ByteRange,
  type CheckpointSource,
  type ReadTextOptions,
} from '../model/checkpoint/source'
import { AbortError, CheckpointError, NetworkError } from '../model/errors'

/** Large enough to keep a disk busy, small beside the 64 MiB of weights the host may hold. */
const CHUNK_BYTES = 4 << 20

/** A checkpoint in a folder of this machine's disk. */
export class DiskSource implements CheckpointSource {
  readonly name: string
  private readonly folder: string

  constructor(folder: string) {
    this.folder = resolve(folder)
    this.name = basename(this.folder)
  }

  async sizeOf(path: string, signal?: AbortSignal): Promise<number | undefined> {
    throwIfAborted(signal)
    const file = this.locate(path)
    try {
      const info = await stat(file)
      return info.isFile() ? info.size : undefined
    } catch (error) {
      if (isMissing(error)) return undefined
      throw unreadable(path, error)
    }
  }

  async readText(path: string, options: ReadTextOptions = {}): Promise<string | undefined> {
    const { signal, maxBytes = MAX_TEXT_BYTES } = options
    const sizeBytes = await this.sizeOf(path, signal)
    if (sizeBytes === undefined) return undefined
    if (sizeBytes > maxBytes) throw textTooLarge(`checkpoint ${path}`, maxBytes, sizeBytes)
    let bytes: Uint8Array
    try {
      bytes = await readFile(this.locate(path), signal ? { signal } : {})
    } catch (error) {
      throwIfAborted(signal)
      throw unreadable(path, error)
    }
    return decodeText(bytes, `checkpoint ${path}`)
  }

  async stream(path: string, options: ByteRange = {}): Promise<ReadableStream<Uint8Array>> {
    const { start = 0, signal } = options
    const sizeBytes = await this.sizeOf(path, signal)
    if (sizeBytes === undefined) {
      throw new NetworkError(`checkpoint: ${path} is not in ${this.folder}; download the checkpoint whole`)
    }
    const end = options.end ?? sizeBytes
    if (start < 0 || end < start || end > sizeBytes) {
      throw new CheckpointError(
        `checkpoint: ${path} should have bytes ${start} to ${end} but is ${sizeBytes} bytes long; download it again`,
      )
    }
    let file: FileHandle
    try {
      file = await open(this.locate(path))
    } catch (error) {
      throw unreadable(path, error)
    }
    return readRange(file, path, start, end, signal)
  }

  private locate(path: string): string {
    return join(this.folder, checkPath(path, `checkpoint ${this.name}`))
  }
}

function readRange(
  file: FileHandle,
  path: string,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
) {
  let position = start
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          throwIfAborted(signal)
          if (position < end) {
            const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - position))
            const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
            if (bytesRead === 0) {
              throw new CheckpointError(
                `checkpoint: ${path} ended at byte ${position}, before ${end}; is it being written?`,
              )
            }
            position += bytesRead
            controller.enqueue(chunk.subarray(0, bytesRead))
          }
          if (position >= end) {
            await file.close()
            controller.close()
          }
        } catch (error) {
          await file.close().catch(() => {})
          throw error
        }
      },
      cancel: () => file.close(),
    },
    // One chunk in flight: the reader sets the pace.
    { highWaterMark: 0 },
  )
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError('checkpoint: reading was cancelled')
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function unreadable(path: string, error: unknown): Error {
  return new CheckpointError(`checkpoint: ${path} cannot be read (${(error as Error).message})`)
}
