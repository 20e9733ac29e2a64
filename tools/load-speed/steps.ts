import { Arena, type Gpu } from '../../src/kernels'
import { openModel } from '../../src/model/checkpoint-files'
import type { StartHash } from '../../src/model/checkpoint/hasher'
import { httpSource } from '../../src/model/checkpoint/http-source'
import { AllocatedWeights } from '../../src/model/load-weights'
import type { ModelDtype } from '../../src/model/precision'

export interface StepOptions {
  /** A checkpoint's folder, ending in `/`. */
  readonly url: string
  readonly dtype: ModelDtype
  /** False takes hashes away, to tell their cost. */
  readonly hash: boolean
}

/** What is compared. Each gives the bytes that it fetched. */
export interface Steps {
  /** To nowhere, two files at once, as the engine does. */
  fetch(): Promise<number>
  /** To the GPU, hashed on the way; freed at once. */
  load(): Promise<number>
}

export async function openSteps(
  gpu: Gpu,
  startHash: StartHash,
  { url, dtype, hash }: StepOptions,
): Promise<Steps> {
  const opened = await openModel(httpSource(url))
  const checkpoints = opened.checkpoints.map((checkpoint) => ({
    ...checkpoint,
    files: checkpoint.files.map((file) => ({ ...file, sha256: hash ? file.sha256 : undefined })),
  }))
  const paths = opened.checkpoints.flatMap(({ files }) => files.map(({ path }) => path))
  return {
    async fetch() {
      let bytes = 0
      const queue = paths.values()
      const fetchSome = async () => {
        for (const path of queue) {
          const { body } = await fetch(url + path)
          const reader = body!.getReader()
          for (;;) {
            const { done, value } = await reader.read()
            if (done) break
            bytes += value.byteLength
          }
        }
      }
      await Promise.all([fetchSome(), fetchSome()])
      return bytes
    },
    async load() {
      const arena = new Arena(gpu)
      const allocated = await AllocatedWeights.allocate(gpu, { ...opened, checkpoints }, dtype)
      try {
        const { fetchedBytes, files } = await allocated.stream(arena, { startHash })
        if (hash && files.some(({ sha256 }) => sha256 === undefined)) throw new Error('a file was not hashed')
        return fetchedBytes
      } finally {
        allocated.weights.destroy()
        arena.destroy()
        await gpu.finish()
      }
    },
  }
}
