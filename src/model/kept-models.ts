import type { ByteStore } from './checkpoint/byte-store'
import { startHashHere, type StartHash } from './checkpoint/hasher'
import { throwIfAborted } from './checkpoint/retry'
import type { KeptFile } from './file-keeper'

/** A model with files on this device. */
export interface KeptModel {
  /** Address of its folder. */
  readonly id: string
  readonly name: string
  /** By key: files that several models share have one. */
  readonly files: readonly KeptFile[]
  /** Milliseconds since 1970. */
  readonly lastUsed: number
}

/** Remembers which models have files on this device, from visit to visit. */
export interface ModelIndex {
  all(): Promise<KeptModel[]>
  /** Changes one entry as a whole: what another tab writes meanwhile is not lost. */
  update(id: string, change: (known: KeptModel | undefined) => KeptModel): Promise<void>
  remove(id: string): Promise<void>
}

export interface StoredModel extends Omit<KeptModel, 'files'> {
  /** Bytes of its files that are on this device. */
  readonly storedBytes: number
  /** Bytes of these files when they are whole. */
  readonly totalBytes: number
}

/** What is kept of models on this device: a list of them over a store of their files. */
export class KeptModels {
  constructor(
    private readonly store: ByteStore,
    private readonly index: ModelIndex,
  ) {}

  /** Notes that a model was loaded or begun to be, and a file of it that is kept. */
  async note({ id, name }: { id: string; name: string }, file?: KeptFile): Promise<void> {
    await this.index.update(id, (known) => ({
      id,
      name,
      files: withFile(known?.files ?? [], file),
      lastUsed: Date.now(),
    }))
  }

  /** Most recently used first. */
  async list(): Promise<StoredModel[]> {
    const models = await this.index.all()
    const listed = models.map(async ({ files, ...model }) => {
      const sizes = await Promise.all(files.map(({ key }) => this.store.sizeOf(key)))
      return { ...model, storedBytes: sum(sizes), totalBytes: sum(files.map(({ sizeBytes }) => sizeBytes)) }
    })
    return (await Promise.all(listed)).sort((a, b) => b.lastUsed - a.lastUsed)
  }

  /** Forgets a model and its files, but those that others use. */
  async remove(id: string): Promise<void> {
    const models = await this.index.all()
    const shared = new Set(
      models.flatMap((model) => (model.id === id ? [] : model.files.map(({ key }) => key))),
    )
    for (const { key } of models.find((model) => model.id === id)?.files ?? []) {
      if (!shared.has(key)) await this.store.remove(key)
    }
    await this.index.remove(id)
  }

  /**
   * Reads every whole file of a model whose hash is known and hashes it anew; what is damaged is removed, so that the next
   * load fetches it.
   *
   * Returns: paths of damaged files. Throws: AbortError; Error where this device does not let its files be read.
   */
  async verify(
    id: string,
    options: {
      startHash?: StartHash | undefined
      signal: AbortSignal
      onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined
    },
  ): Promise<string[]> {
    const { signal, startHash = startHashHere, onProgress = () => undefined } = options
    const model = (await this.index.all()).find((known) => known.id === id)
    const files = (model?.files ?? []).filter(({ sha256 }) => sha256 !== undefined)
    const totalBytes = sum(files.map(({ sizeBytes }) => sizeBytes))
    const damaged: string[] = []
    let doneBytes = 0
    for (const { key, path, sha256 } of files) {
      const stream = (await this.store.read(key)) as ReadableStream<Uint8Array<ArrayBuffer>> | undefined
      if (!stream) continue
      const hash = await startHash()
      try {
        for await (const chunk of stream) {
          throwIfAborted(signal)
          const { byteLength } = chunk
          await hash.update(chunk)
          onProgress((doneBytes += byteLength), totalBytes)
        }
        if ((await hash.digest()) === sha256) continue
      } finally {
        hash.drop()
      }
      damaged.push(path)
      await this.store.remove(key)
    }
    return damaged
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** Ranges of a file are counted at their longest. */
function withFile(files: readonly KeptFile[], file: KeptFile | undefined): readonly KeptFile[] {
  if (!file) return files
  const known = files.find(({ key }) => key === file.key)
  if (known && known.sizeBytes >= file.sizeBytes) return files
  return [...files.filter(({ key }) => key !== file.key), file]
}
