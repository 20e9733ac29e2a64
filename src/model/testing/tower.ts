import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiskSource } from '../../cli/disk-source'
import { Encoder, uploadTensor, type Arena, type Gpu } from '../../kernels'
import { openCheckpoint } from '../checkpoint/checkpoint'
import { f16ToF32 } from '../checkpoint/half'
import { matchTensors } from '../checkpoint/match'
import type { TensorEntry } from '../checkpoint/safetensors'
import { parseConfigFile, type JsonObject } from '../config-reader'
import { under, type WeightStore } from '../parameters'
import type { TowerOutput, VisionTower } from '../vision/definition'
import type { TowerRepository } from '../vision/tower-repository'
import { storeFrom } from './store'

/** A tensor as golden cases record it. */
export interface Recorded {
  readonly shape: readonly number[]
  readonly data: Float32Array<ArrayBuffer>
}

export const readJson = (folder: string, file: string): JsonObject =>
  parseConfigFile(readFileSync(join(folder, file), 'utf8'), file)

/** A tensor of a file in a folder, widened to f32. */
function readTensor(folder: string, { file, start, end, dtype }: TensorEntry): Float32Array<ArrayBuffer> {
  const { buffer } = new Uint8Array(readFileSync(join(folder, file)).subarray(start, end))
  if (dtype === 'F32') return new Float32Array(buffer)
  if (dtype === 'F16') return f16ToF32(new Uint16Array(buffer))
  throw new Error(`${folder}/${file}: holds ${dtype}, which no golden tower does`)
}

type Repository = TowerRepository & { weightFiles?: readonly string[] }

/**
 * Every weight that an output of a tower needs, in f32, from the folder of its repository.
 *
 * Throws: CheckpointError unless each of the repository's keys is one of the tower's or known to be of no use.
 */
export async function readTower(
  folder: string,
  { tower, rename, weightFiles }: Repository,
  output: TowerOutput,
): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const specs = tower.params(output)
  const { tensors } = await openCheckpoint(new DiskSource(folder), { ...(weightFiles && { weightFiles }) })
  const matched = matchTensors({
    expected: Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, shape])),
    tensors,
    rename: (key) => rename(key, output),
    where: folder,
  })
  return new Map([...matched].map(([name, entry]) => [name, readTensor(folder, entry)]))
}

/** As readTower, on the GPU under `vision.`. */
export async function loadTower(
  gpu: Gpu,
  arena: Arena,
  folder: string,
  repository: Repository,
  output: TowerOutput,
): Promise<WeightStore> {
  const values = await readTower(folder, repository, output)
  const specs = under('vision', repository.tower.params(output))
  return storeFrom(gpu, arena, specs, (name) => values.get(name.slice('vision.'.length))!)
}

/** Runs a tower on recorded pixels. Returns: its maps, or what `select` makes of them. */
export async function runTower(
  gpu: Gpu,
  arena: Arena,
  tower: VisionTower,
  pixels: Recorded,
  select: (enc: Encoder, maps: Awaited<ReturnType<VisionTower['features']>>) => typeof maps = (_, maps) =>
    maps,
): Promise<Float32Array[]> {
  const shape = pixels.shape.length === 3 ? [1, ...pixels.shape] : pixels.shape
  const input = uploadTensor(gpu, 'pixels', shape, pixels.data)
  const enc = new Encoder(gpu, arena, 'tower')
  try {
    const maps = select(enc, await tower.features(enc, input))
    const read: Float32Array[] = []
    for (const map of maps) read.push(await enc.read(map))
    return read
  } finally {
    enc.end()
    gpu.destroyBuffer(input.buffer)
    await gpu.check()
  }
}
