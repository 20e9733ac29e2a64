import { DeviceLostError, OutOfMemoryError, UnsupportedDeviceError } from '../kernels'
import { AbortError, NetworkError } from '../model/errors'
import type { EngineEvent, ErrorName, LoadProgress, ModelInfo } from './api'

export interface RecoveryOptions {
  /** Attempts in a row, without anything done in between, until the engine gives up. Default: 3; 0 never tries. */
  readonly attempts?: number
  /** How long to wait before an attempt, counted from 1, in milliseconds. Default: 0, 2 s, 10 s. */
  readonly waitMs?: (attempt: number) => number
}

const ATTEMPTS = 3
const WAIT_MS = [0, 2_000, 10_000]
/** Losses that lie further apart have nothing to do with each other. */
const FORGET_MS = 30 * 60_000

export interface RecoveryHost<Target> {
  /** Opens the device anew and loads the model that was on it. */
  load(target: Target, signal: AbortSignal, onProgress: (progress: LoadProgress) => void): Promise<ModelInfo>
  tell(event: EngineEvent): void
  /** The model will not come back by itself. */
  onGivenUp(): void
}

/** Brings a model back after its device was lost, a few times at most: a device may be lost again at once. */
export class Recovery<Target> {
  /** What is brought back. */
  target: Target | undefined
  /** Why it did not come back. */
  failure: Error | undefined
  readonly attempts: number
  private readonly waitMs: (attempt: number) => number
  private running: Promise<void> | undefined
  private stopping: AbortController | undefined
  private cause: unknown
  private tried = 0
  private triedAt = -Infinity

  constructor(
    private readonly host: RecoveryHost<Target>,
    {
      attempts = ATTEMPTS,
      waitMs = (attempt) => WAIT_MS[attempt - 1] ?? WAIT_MS.at(-1)!,
    }: RecoveryOptions = {},
  ) {
    this.attempts = attempts
    this.waitMs = waitMs
  }

  /** Another attempt may be made. */
  get mayTry(): boolean {
    if (performance.now() - this.triedAt > FORGET_MS) this.tried = 0
    return this.tried < this.attempts
  }

  /** Why nothing is tried any more. */
  givenUp(cause: unknown): DeviceLostError {
    const { attempts } = this
    const { message } = cause as Error
    if (attempts === 0) return new DeviceLostError(message)
    const times = attempts === 1 ? 'once' : `${attempts} times in a row`
    return new DeviceLostError(
      `gpu: the model was brought back ${times} and the device did not stay. Close other tabs and programs that use the ` +
        `GPU or choose a smaller model, then load it again. The last failure: ${message}`,
      { cause },
    )
  }

  /** The device did what it was asked: the next loss is another one. */
  succeeded(): void {
    this.tried = 0
  }

  /** Remembers what is there now. */
  keep(target: Target): void {
    this.target = target
    this.failure = undefined
  }

  /** There is nothing any more to bring back. */
  forget(): void {
    this.target = undefined
    this.failure = undefined
  }

  /** Begins to bring the model back, where there is one and nothing has begun yet. */
  start(cause: unknown): void {
    this.cause = cause
    if (!this.target) return
    this.running ??= this.run().finally(() => (this.running = undefined))
  }

  /** Ends a recovery: something else is to be loaded, or nothing. */
  stop(): void {
    this.stopping?.abort()
  }

  /** Ends a recovery for good. */
  cancel(): void {
    if (!this.running) return
    this.target = undefined
    this.stop()
  }

  get isRunning(): boolean {
    return this.running !== undefined
  }

  /** Resolves when no recovery runs, well or not, or when `signal` is aborted. */
  async over(signal?: AbortSignal): Promise<void> {
    const { running } = this
    if (!running || signal?.aborted) return
    let stopWaiting = () => {}
    const aborted = new Promise<void>((resolve) => {
      stopWaiting = resolve
      signal?.addEventListener('abort', stopWaiting)
    })
    await Promise.race([running, aborted])
    signal?.removeEventListener('abort', stopWaiting)
  }

  /** Counts an attempt and waits before it. Throws: DeviceLostError where there were too many; AbortError. */
  async attempt(cause: unknown, signal: AbortSignal): Promise<number> {
    if (!this.mayTry) throw this.givenUp(cause)
    const attempt = ++this.tried
    this.triedAt = performance.now()
    this.host.tell({ type: 'recovering', attempt, attempts: this.attempts })
    await delay(this.waitMs(attempt), signal)
    return attempt
  }

  private async run(): Promise<void> {
    const { signal } = (this.stopping = new AbortController())
    try {
      const model = await this.load(signal)
      this.host.tell({ type: 'ready', model })
    } catch (error) {
      // Something else is being loaded, and tells of itself.
      if (signal.aborted && this.target) return
      this.target = undefined
      this.failure = signal.aborted ? undefined : (error as Error)
      this.host.onGivenUp()
      const { name, message } = error as Error
      this.host.tell({ type: 'not-recovered', name: name as ErrorName, message })
    }
  }

  private async load(signal: AbortSignal): Promise<ModelInfo> {
    const { attempts } = this
    for (;;) {
      const attempt = await this.attempt(this.cause, signal)
      try {
        return await this.host.load(this.target!, signal, (progress) =>
          this.host.tell({ type: 'recovering', attempt, attempts, progress }),
        )
      } catch (error) {
        if (signal.aborted) throw new AbortError('load: cancelled.')
        if (!mayPass(error)) throw error
        this.cause = error
      }
    }
  }
}

/** A driver that starts anew gives no adapter at first, and gives memory back late; a network comes back. */
const mayPass = (error: unknown) =>
  [DeviceLostError, UnsupportedDeviceError, OutOfMemoryError, NetworkError].some(
    (kind) => error instanceof kind,
  )

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(new AbortError('load: cancelled.'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
