import { CheckpointError } from '../errors'
import { readRange } from './read-range'
import { throwIfAborted, type Sleep } from './retry'
import { dataStartOf, parseSafetensorsHeader, type TensorEntry } from './safetensors'
import { checkPath, type CheckpointSource } from './source'
import { describeJson, isJsonObject, parseStrictJson } from './strict-json'
import { readTorchFile } from './torch-file'

export interface WeightFile {
  readonly path: string
  readonly sizeBytes: number
  /** In hexadecimal, as the file's origin states it: what is streamed has to have it. Undefined where none is stated. */
  readonly sha256?: string | undefined
}

/** What a checkpoint's weight files hold, known from their headers alone. */
export interface Checkpoint {
  readonly source: CheckpointSource
  readonly files: readonly WeightFile[]
  /** In the order of the files, within one by position. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Bytes of all tensors. */
  readonly weightBytes: number
}

export interface OpenOptions {
  signal?: AbortSignal
  /** Told before each file is asked for. */
  onFile?: (path: string) => void
  sleep?: Sleep
  stallMs?: number
  /** Names to look for, the first that exists being taken; `*.index.json` lists shards. Default: `WEIGHT_FILES`. */
  weightFiles?: readonly string[]
}

/** In the reference library's order: safetensors go before pickles, a single file before shards. */
export const WEIGHT_FILES = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const

const isIndex = (path: string) => path.endsWith('.index.json')

/**
 * Read in one request, in the hope that the whole header is in it: the headers of 7B shards take about 40 kB,
 * those of unsharded 0.5B models about 90 kB.
 */
const FIRST_READ_BYTES = 128 * 1024

/** Shards asked for at once. */
const CONCURRENT_SHARDS = 4

/**
 * Finds a checkpoint's weight files, safetensors or PyTorch's, and reads their headers; no weight is read.
 *
 * Throws: CheckpointError when there are none or they are malformed; NetworkError, AbortError.
 */
export async function openCheckpoint(
  source: CheckpointSource,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  const { signal, onFile, weightFiles = WEIGHT_FILES } = options
  for (const path of weightFiles) {
    throwIfAborted(signal)
    onFile?.(path)
    if (isIndex(path)) {
      const text = await source.readText(path, { signal })
      if (text === undefined) continue
      const suffix = path.replace(/^.*(\.\w+)\.index\.json$/, '$1')
      const index = parseShardIndex(text, `${source.name}: ${path}`, suffix)
      const checkpoint = assemble(source, await openShards(source, path, index.shards, options))
      checkIndexAgainstHeaders(path, index.weightMap, checkpoint)
      return checkpoint
    }
    const sizeBytes = await source.sizeOf(path, signal)
    if (sizeBytes === undefined) continue
    return assemble(source, [await openShard(source, path, sizeBytes, options)])
  }
  throw new CheckpointError(
    `${source.name}: expected weights in ${weightFiles.join(' or ')}, got none of these; ` +
      "check the model's name and revision, and that this is a whole checkpoint and not an adapter",
  )
}

interface Shard extends WeightFile {
  readonly tensors: readonly TensorEntry[]
}

async function openShard(
  source: CheckpointSource,
  path: string,
  sizeBytes: number,
  options: OpenOptions,
): Promise<Shard> {
  const [tensors, sha256] = await Promise.all([
    readHeader(source, path, sizeBytes, options),
    source.sha256Of?.(path, options.signal),
  ])
  return { path, sizeBytes, sha256, tensors }
}

async function openShards(
  source: CheckpointSource,
  indexFile: string,
  paths: readonly string[],
  options: OpenOptions,
): Promise<Shard[]> {
  // The first failure stops the requests of the other shards.
  const failure = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failure.signal]) : failure.signal
  const shards: Shard[] = new Array(paths.length)
  const queue = paths.entries()
  const openNext = async (): Promise<void> => {
    for (const [i, path] of queue) {
      throwIfAborted(signal)
      options.onFile?.(path)
      const sizeBytes = await source.sizeOf(path, signal)
      if (sizeBytes === undefined) {
        throw new CheckpointError(
          `${source.name}: expected ${path}, which ${indexFile} names, the file is missing; ` +
            'the checkpoint is incomplete, download or upload it whole',
        )
      }
      shards[i] = await openShard(source, path, sizeBytes, { ...options, signal })
    }
  }
  try {
    await Promise.all(Array.from({ length: CONCURRENT_SHARDS }, openNext))
  } catch (error) {
    failure.abort()
    throw error
  }
  return shards
}

async function readHeader(
  source: CheckpointSource,
  path: string,
  fileSize: number,
  options: OpenOptions,
): Promise<readonly TensorEntry[]> {
  if (!path.endsWith('.safetensors')) return readTorchFile(source, path, fileSize, options)
  const where = `${source.name}: ${path}`
  const first = await readRange(source, path, 0, Math.min(fileSize, FIRST_READ_BYTES), options)
  const dataStart = dataStartOf(first, fileSize, where)
  let bytes = first
  if (dataStart > first.byteLength) {
    bytes = new Uint8Array(dataStart)
    bytes.set(first)
    bytes.set(await readRange(source, path, first.byteLength, dataStart, options), first.byteLength)
  }
  const { tensors } = parseSafetensorsHeader(bytes, fileSize, where)
  // Errors name the checkpoint too; an entry names its file alone.
  return tensors.map((tensor) => ({ ...tensor, file: path }))
}

/**
 * The shards and the tensor-to-shard map of a `*.index.json`.
 *
 * Throws: CheckpointError when it is malformed or names a file outside the checkpoint's folder.
 */
export function parseShardIndex(
  text: string,
  where: string,
  suffix = '.safetensors',
): { shards: string[]; weightMap: ReadonlyMap<string, string> } {
  const index = parseStrictJson(text, where)
  if (!isJsonObject(index) || !isJsonObject(index.weight_map)) {
    throw new CheckpointError(
      `${where}: expected an object with weight_map, got ${describeJson(index)}; download the file again`,
    )
  }
  const { metadata } = index
  if (metadata !== undefined && metadata !== null) {
    const size = isJsonObject(metadata) ? (metadata.total_size ?? 0) : undefined
    if (typeof size !== 'number' || !(size >= 0)) {
      throw new CheckpointError(
        `${where}: expected metadata.total_size to be a number of bytes, got ${describeJson(metadata)}; ` +
          'download the file again',
      )
    }
  }
  const weightMap = new Map<string, string>()
  for (const [name, file] of Object.entries(index.weight_map)) {
    if (typeof file !== 'string') {
      throw new CheckpointError(
        `${where}: expected a file name for ${name}, got ${describeJson(file)}; download the file again`,
      )
    }
    weightMap.set(name, checkPath(file, where))
  }
  if (weightMap.size === 0) {
    throw new CheckpointError(
      `${where}: expected tensors in weight_map, got none; the checkpoint is incomplete`,
    )
  }
  const shards = [...new Set(weightMap.values())].sort()
  const stranger = shards.find((file) => !file.endsWith(suffix))
  if (stranger !== undefined) {
    throw new CheckpointError(
      `${where}: expected shards named *${suffix}, got ${JSON.stringify(stranger)}; ` +
        'save the checkpoint again with save_pretrained',
    )
  }
  return { shards, weightMap }
}

function assemble(source: CheckpointSource, shards: readonly Shard[]): Checkpoint {
  const tensors = new Map<string, TensorEntry>()
  let weightBytes = 0
  for (const shard of shards) {
    for (const tensor of shard.tensors) {
      const earlier = tensors.get(tensor.name)
      if (earlier) {
        throw new CheckpointError(
          `${source.name}: expected ${tensor.name} in one file, got it in ${earlier.file} and ${tensor.file}; ` +
            'the shards belong to different checkpoints, download them again',
        )
      }
      tensors.set(tensor.name, tensor)
      weightBytes += tensor.end - tensor.start
    }
  }
  const files = shards.map(({ path, sizeBytes, sha256 }) => ({ path, sizeBytes, sha256 }))
  return { source, files, tensors, weightBytes }
}

function checkIndexAgainstHeaders(
  indexFile: string,
  weightMap: ReadonlyMap<string, string>,
  checkpoint: Checkpoint,
): void {
  const wrong: string[] = []
  for (const [name, file] of weightMap) {
    const found = checkpoint.tensors.get(name)?.file
    if (found !== file) wrong.push(`${name} in ${file} (${found ? `it is in ${found}` : 'it is nowhere'})`)
  }
  if (wrong.length === 0) return
  const more = wrong.length > 3 ? ` and ${wrong.length - 3} more` : ''
  throw new CheckpointError(
    `${checkpoint.source.name}: ${indexFile}: expected what it names to be in the shards, got ` +
      `${wrong.slice(0, 3).join(', ')}${more}; index and shards belong to different checkpoints, download them again`,
  )
}
