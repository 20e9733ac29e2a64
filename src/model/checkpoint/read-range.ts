import { streamRange } from './resume'
import type { Sleep } from './retry'
import type { CheckpointSource } from './source'

export interface ReadOptions {
  signal?: AbortSignal | undefined
  sleep?: Sleep | undefined
  stallMs?: number | undefined
}

/** Bytes `start` to `end` of a file in one piece; for headers and directories, never for weights. */
export async function readRange(
  source: CheckpointSource,
  path: string,
  start: number,
  end: number,
  { signal, sleep, stallMs }: ReadOptions,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start)
  let at = 0
  for await (const chunk of streamRange(source, path, { start, end, signal, sleep, stallMs })) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}
