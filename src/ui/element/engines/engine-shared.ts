import type { EngineEvent, LoadOptions, LoadProgress, ModelInfo, ModelSource } from '../../../worker/api'
import type { EngineClient } from '../../../worker/client'
import type { Connect } from '../../state/engine.svelte'
import { AskQueue } from './engine-asks'
import { quietly } from './engine-calls'
import type { EngineLease } from './engine-lease'
import { SharedLoad } from './engine-load'

const CLOSE_MS = 2000

/** One real engine, its leases, and the model they share. */
export class SharedEngine {
  readonly client: EngineClient
  readonly asks: AskQueue
  readonly leases = new Set<EngineLease>()
  /** Ends calls where the engine is gone and cannot. */
  readonly rejects = new Set<(error: unknown) => void>()
  /** Undefined where the engine holds no model, or one that nobody can reach and that is being freed. */
  #load: SharedLoad | undefined
  #isOver = false

  constructor(connect: Connect, onCrash: (error: Error) => void, onEvent: (event: EngineEvent) => void) {
    this.client = connect(onCrash)
    this.asks = new AskQueue(this.client)
    quietly(this.client.watch(onEvent))
  }

  /** Of the model that is loading or loaded. */
  get key(): string | undefined {
    return this.#load?.key
  }

  isUsedByOthersThan(lease: EngineLease): boolean {
    return [...(this.#load?.users ?? [])].some((user) => user !== lease)
  }

  hasLoadedFor(lease: EngineLease): boolean {
    return this.#load !== undefined && this.#load.isLoaded && this.#load.users.has(lease)
  }

  isLoadingFor(lease: EngineLease): boolean {
    return this.#load?.isWaitedForBy(lease) ?? false
  }

  /** Shares the model if it is this one, else loads it in place of one that nobody else uses. */
  load(
    lease: EngineLease,
    key: string,
    source: ModelSource,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<ModelInfo> {
    if (this.key !== key) {
      quietly(this.release(lease))
      this.#load = this.#begin(key, source, options)
    }
    return this.#load!.join(lease, onProgress)
  }

  #begin(key: string, source: ModelSource, options: LoadOptions): SharedLoad {
    const load = new SharedLoad(key)
    this.client
      .load(source, options, (progress) => load.advance(progress))
      .then(
        (model) => load.finish(model),
        (error: unknown) => {
          if (this.#load === load) this.#load = undefined
          load.fail(error)
        },
      )
      .finally(() => {
        // Cancelled too late, or failed before the engine let its last model go.
        if (!this.#load && !this.#isOver) quietly(this.client.unload())
      })
    return load
  }

  /** The lease needs its model no more. Without another user its loading is cancelled, or it is freed. */
  async release(lease: EngineLease): Promise<void> {
    const load = this.#load
    if (!load?.users.has(lease)) return
    load.leave(lease)
    if (load.users.size > 0) return
    this.#load = undefined
    await (load.isLoaded ? this.client.unload() : this.client.cancelLoad())
  }

  /** Frees whatever the engine holds; for a lease that shares its model with nobody. */
  async unload(lease: EngineLease): Promise<void> {
    this.#load?.leave(lease)
    this.#load = undefined
    await this.client.unload()
  }

  /** Ends the engine after its last lease. Buffers freed first are gone at once, not when the browser comes to it. */
  close(last: EngineLease): void {
    this.#isOver = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)))
    const dispose = () => {
      clearTimeout(timer)
      this.client.dispose()
    }
    this.#load?.leave(last)
    this.#load = undefined
    Promise.race([this.client.close(), late]).then(dispose, dispose)
  }

  /** Ends every call of an engine that is gone. */
  lose(error: Error): void {
    this.#isOver = true
    this.#load = undefined
    for (const reject of this.rejects) reject(error)
    this.rejects.clear()
  }
}
