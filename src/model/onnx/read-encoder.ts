import { ProgressMeter, type StreamProgress } from '../checkpoint/progress'
import { streamRange } from '../checkpoint/resume'
import { checkPath, type CheckpointSource } from '../checkpoint/source'
import { wrongHash } from '../checkpoint/stated-hashes'
import { CheckpointError } from '../errors'
import { sha256 } from '../sha256'
import type { OnnxFile } from './runtime'

export interface ReadEncoderOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: StreamProgress) => void) | undefined
}

/**
 * Sizes of an encoder's files, to plan a download with.
 *
 * Units: bytes.
 * Throws: CheckpointError for a file that is not there; NetworkError.
 */
export function encoderSizes(
  source: CheckpointSource,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<{ path: string; bytes: number }[]> {
  return Promise.all(
    paths.map(async (path) => {
      checkPath(path, source.name)
      const bytes = await source.sizeOf(path, signal)
      if (bytes !== undefined) return { path, bytes }
      throw new CheckpointError(
        `${source.name}: the encoder ${path} was not found, which config.json names. Add it, or correct its name.`,
      )
    }),
  )
}

/**
 * Reads an encoder and the files that it refers to whole, taking up dropped connections where they broke.
 *
 * Throws: CheckpointError for a file that is not there or has not the hash its origin states; NetworkError, AbortError.
 */
export async function readEncoder(
  source: CheckpointSource,
  paths: readonly string[],
  { signal, onProgress = () => {} }: ReadEncoderOptions = {},
): Promise<OnnxFile> {
  const files = await encoderSizes(source, paths, signal)
  const meter = new ProgressMeter(files, onProgress, () => performance.now())
  const contents: { path: string; bytes: Uint8Array }[] = []
  for (const [i, { path, bytes: size }] of files.entries()) {
    meter.startFile(i)
    const stated = await source.sha256Of?.(path, signal)
    const isVerified = stated !== undefined && (await source.copies?.has(path, stated))
    const bytes = new Uint8Array(size)
    let at = 0
    for await (const chunk of streamRange(source, path, { start: 0, end: size, signal })) {
      bytes.set(chunk, at)
      at += chunk.byteLength
      meter.add(i, chunk.byteLength)
    }
    if (stated !== undefined && !isVerified) {
      const found = await sha256(bytes)
      await source.copies?.judge(path, found === stated)
      if (found !== stated) throw wrongHash(source, path, stated, found)
    }
    contents.push({ path, bytes })
  }
  const [encoder, ...externalData] = contents
  return { name: `${source.name}: ${encoder!.path}`, bytes: encoder!.bytes, externalData }
}
