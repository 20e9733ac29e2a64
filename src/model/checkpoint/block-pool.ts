import { abortable, throwIfAborted } from './retry'

/** Buffers of one size that are filled over and over; who asks for more than there are waits. */
export class BlockPool {
  /** Of all buffers made so far. */
  heldBytes = 0
  private readonly free: ArrayBuffer[] = []
  private readonly waiting: ((buffer: ArrayBuffer) => void)[] = []

  constructor(
    private readonly blockBytes: number,
    private readonly count: number,
    private readonly signal: AbortSignal,
  ) {}

  /** Throws: AbortError. */
  async take(): Promise<ArrayBuffer> {
    throwIfAborted(this.signal)
    const free = this.free.pop()
    if (free) return free
    if (this.heldBytes < this.count * this.blockBytes) {
      this.heldBytes += this.blockBytes
      return new ArrayBuffer(this.blockBytes)
    }
    // Listens no longer than it waits: a signal made of others keeps what listens to it, and would keep the buffers.
    return abortable(new Promise<ArrayBuffer>((resolve) => this.waiting.push(resolve)), this.signal)
  }

  /** Takes a buffer back, or one that holds the same memory. */
  give(buffer: ArrayBuffer): void {
    const next = this.waiting.shift()
    if (next) next(buffer)
    else this.free.push(buffer)
  }
}
