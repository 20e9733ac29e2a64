import type { LoadProgress, ModelInfo } from '../../../worker/api'
import { cancelled, tell } from './engine-calls'

type OnProgress = (progress: LoadProgress) => void

interface Waiting {
  onProgress: OnProgress
  resolve: (model: ModelInfo) => void
  reject: (error: unknown) => void
}

/** A model in an engine, loading or loaded, and who uses it. */
export class SharedLoad {
  /** Who waits for the model or has it. */
  readonly users = new Set<object>()
  readonly key: string
  #waiting = new Map<object, Waiting>()
  /** The last of each phase, in the order they came: weights alone tell of their progress thousands of times. */
  #progress = new Map<LoadProgress['phase'], LoadProgress>()
  #model: ModelInfo | undefined

  constructor(key: string) {
    this.key = key
  }

  get isLoaded(): boolean {
    return this.#model !== undefined
  }

  isWaitedForBy(user: object): boolean {
    return this.#waiting.has(user)
  }

  /** Takes part. A user's earlier wait ends as cancelled. */
  join(user: object, onProgress: OnProgress): Promise<ModelInfo> {
    this.leave(user)
    this.users.add(user)
    return new Promise((resolve, reject) => {
      if (this.#model) {
        tell(onProgress, { phase: 'ready' })
        return resolve(copy(this.#model))
      }
      const waiting = { onProgress, resolve, reject }
      this.#waiting.set(user, waiting)
      for (const progress of this.#progress.values())
        if (this.#waiting.get(user) === waiting) tell(onProgress, progress)
    })
  }

  leave(user: object): void {
    this.users.delete(user)
    this.#waiting.get(user)?.reject(cancelled())
    this.#waiting.delete(user)
  }

  advance(progress: LoadProgress): void {
    this.#progress.delete(progress.phase)
    this.#progress.set(progress.phase, progress)
    for (const { onProgress } of [...this.#waiting.values()]) tell(onProgress, progress)
  }

  finish(model: ModelInfo): void {
    this.#model = model
    for (const { resolve } of this.#waiting.values()) resolve(copy(model))
    this.#waiting.clear()
  }

  fail(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/** The page tells one load from the next by the identity of its model. */
const copy = (model: ModelInfo): ModelInfo => ({ ...model })
