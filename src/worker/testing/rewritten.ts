import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSafetensorsHeader, type TensorEntry } from '../../model/checkpoint/safetensors'
import { writeSafetensors } from '../../model/checkpoint/safetensors-writer'
import { memorySource, type FileContents } from '../../model/checkpoint/testing/memory-source'
import type { CheckpointSource } from '../../model/checkpoint/source'
import type { JsonObject } from '../../model/config-reader'
import type { GoldenCase } from './golden'

const SMALL_FILES = [
  'generation_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
]

/** A tensor on its way to another file; any of it may be replaced. */
export interface RewrittenTensor {
  name: string
  dtype: TensorEntry['dtype']
  shape: readonly number[]
  data: Uint8Array<ArrayBuffer>
}

/** A golden checkpoint in one file under other names or shapes; a key that becomes undefined is left out. */
export function rewritten(
  golden: GoldenCase,
  change: {
    rename?: (key: string) => string | undefined
    config?: (config: JsonObject) => JsonObject
    tensors?: (tensors: RewrittenTensor[]) => void
    /** Files beside them, or in place of the checkpoint's own. */
    files?: FileContents
  },
): CheckpointSource {
  const read = (path: string) => readFileSync(join(golden.checkpoint, path))
  const index = JSON.parse(read('model.safetensors.index.json').toString()) as {
    weight_map: Record<string, string>
  }
  const tensors: RewrittenTensor[] = []
  for (const file of new Set(Object.values(index.weight_map))) {
    const bytes = read(file)
    for (const entry of parseSafetensorsHeader(bytes, bytes.length, file).tensors) {
      const name = change.rename ? change.rename(entry.name) : entry.name
      if (name === undefined) continue
      const data = new Uint8Array(bytes.subarray(entry.start, entry.end))
      tensors.push({ name, dtype: entry.dtype, shape: entry.shape, data })
    }
  }
  change.tensors?.(tensors)
  const config = JSON.parse(read('config.json').toString()) as JsonObject
  const weights = writeSafetensors(tensors)
  const whole = new Uint8Array(weights.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of weights) {
    whole.set(piece, at)
    at += piece.length
  }
  const files: FileContents = {
    'config.json': JSON.stringify(change.config ? change.config(config) : config),
    'model.safetensors': whole,
  }
  for (const file of SMALL_FILES) {
    try {
      files[file] = read(file).toString()
    } catch {
      // not every case has every file
    }
  }
  return memorySource({ ...files, ...change.files })
}
