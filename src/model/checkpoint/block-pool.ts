import { AbortError } from '../errors'
import { throwIfAborted } from './retry'

/** Buffers of one size that are filled over and over; who asks for more than there are waits. */
export class BlockPool {
  /** Of all buffers made so far. */
  heldBytes = 0
  private readonly free: ArrayBuffer[] = []
  private readonly waiting: {
    resolve: (buffer: ArrayBuffer) => void
    reject: (error: Error) => void
  }[] = []

  constructor(
    private readonly blockBytes: number,
    private readonly count: number,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => {
      for (const { reject } of this.waiting.splice(0))
        reject(new AbortError('checkpoint: loading was cancelled'))
    })
  }

  /** Throws: AbortError. */
  async take(): Promise<ArrayBuffer> {
    throwIfAborted(this.signal)
    const free = this.free.pop()
    if (free) return free
    if (this.heldBytes < this.count * this.blockBytes) {
      this.heldBytes += this.blockBytes
      return new ArrayBuffer(this.blockBytes)
    }
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }))
  }

  /** Takes a buffer back, or one that holds the same memory. */
  give(buffer: ArrayBuffer): void {
    const next = this.waiting.shift()
    if (next) next.resolve(buffer)
    else this.free.push(buffer)
  }
}
