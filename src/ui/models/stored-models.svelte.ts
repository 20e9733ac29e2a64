import { SvelteMap } from 'svelte/reactivity'
import type { StoredModel } from '../../worker/api'
import type { EngineState } from '../state/engine.svelte'
import { surroundings } from '../state/surroundings'
import { explain, type Problem } from '../text/explain'
import type { Messages } from '../text/messages/en'

/** What the browser lets this site store. Units: bytes. */
export interface Room {
  usageBytes: number
  quotaBytes: number
  /** The browser promises not to clear it when the disk fills up. */
  isPersistent: boolean
}

/** What was found of a model's files. */
export type Verdict = { doneBytes: number; totalBytes: number } | { damaged: readonly string[] }

/** The models with files on this device, as the visitor sees and manages them. */
export class StoredModels {
  models = $state.raw<readonly StoredModel[]>([])
  room = $state.raw<Room>()
  problem = $state.raw<Problem>()
  /** By model. */
  readonly verdicts = new SvelteMap<string, Verdict>()
  /** The model whose removal was asked for and not confirmed yet. */
  doubtful = $state.raw<string>()

  #engine: EngineState
  #texts: () => Messages
  #storage: Partial<StorageManager> | undefined

  constructor(
    engine: EngineState,
    texts: () => Messages,
    storage: Partial<StorageManager> | undefined = navigator.storage,
  ) {
    this.#engine = engine
    this.#texts = texts
    this.#storage = storage
  }

  async refresh(): Promise<void> {
    await this.#try(async () => {
      this.models = await this.#engine.call((client) => client.storedModels())
      this.room = await this.#measure()
    })
  }

  async remove(id: string): Promise<void> {
    this.doubtful = undefined
    await this.#try(() => this.#engine.call((client) => client.removeStored(id)))
    await this.refresh()
  }

  async verify(id: string): Promise<void> {
    const { totalBytes = 0 } = this.models.find((model) => model.id === id) ?? {}
    const tell = (verdict: Verdict) => this.verdicts.set(id, verdict)
    tell({ doneBytes: 0, totalBytes })
    const isDone = await this.#try(async () => {
      const damaged = await this.#engine.call((client) =>
        client.verifyStored(id, (doneBytes, totalBytes) => tell({ doneBytes, totalBytes })),
      )
      tell({ damaged })
    })
    if (!isDone) this.verdicts.delete(id)
    await this.refresh()
  }

  /** Asks the browser for the promise that it does not clear what is stored. */
  async persist(): Promise<void> {
    await this.#try(async () => {
      await this.#storage?.persist?.()
      this.room = await this.#measure()
    })
  }

  async #measure(): Promise<Room | undefined> {
    const { usage, quota } = (await this.#storage?.estimate?.()) ?? {}
    if (usage === undefined || quota === undefined) return undefined
    return {
      usageBytes: usage,
      quotaBytes: quota,
      isPersistent: (await this.#storage?.persisted?.()) ?? false,
    }
  }

  async #try(what: () => Promise<void>): Promise<boolean> {
    try {
      this.problem = undefined
      await what()
      return true
    } catch (error) {
      this.problem = explain(error, surroundings(), this.#texts())
      return false
    }
  }
}
