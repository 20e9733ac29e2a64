import type { StartHash } from '../model/checkpoint/hasher'
import type { CheckpointSource } from '../model/checkpoint/source'
import type { KeptFile, OpenByteStore } from '../model/file-keeper'
import { KeptModels, type ModelIndex } from '../model/kept-models'
import type { StoredModel } from './api'

interface Host {
  readonly modelStore?: OpenByteStore
  readonly modelIndex?: ModelIndex
  readonly startHash?: StartHash
}

/** The models kept on this device, behind the contract; none where the host keeps nothing. */
export class EngineStored {
  private opening: Promise<KeptModels | undefined> | undefined
  private verifying: AbortController | undefined
  /** One note after the other. */
  private noting: Promise<unknown> = Promise.resolve()

  constructor(private readonly host: Host) {}

  async list(): Promise<StoredModel[]> {
    return (await this.open())?.list() ?? []
  }

  async remove(id: string): Promise<void> {
    await (await this.open())?.remove(id)
  }

  async verify(id: string, onProgress: (doneBytes: number, totalBytes: number) => void): Promise<string[]> {
    this.verifying?.abort()
    const { signal } = (this.verifying = new AbortController())
    const { startHash } = this.host
    return (await this.open())?.verify(id, { startHash, signal, onProgress }) ?? []
  }

  cancelVerify(): void {
    this.verifying?.abort()
  }

  /** Notes a file of a model. Files at hand have no address, and are not kept. */
  note({ address, name }: CheckpointSource, file: KeptFile): void {
    if (address === undefined) return
    this.noting = this.noting
      .then(async () => (await this.open())?.note({ id: address, name }, file))
      // A model that is kept and not listed still loads.
      .catch(() => undefined)
  }

  /** Tries again where the store could not be opened. */
  private open(): Promise<KeptModels | undefined> {
    this.opening ??= this.begin().catch(() => (this.opening = undefined))
    return this.opening
  }

  private async begin(): Promise<KeptModels | undefined> {
    const { modelStore, modelIndex } = this.host
    const store = modelIndex && (await modelStore?.())
    return store && new KeptModels(store, modelIndex)
  }
}
