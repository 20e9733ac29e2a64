/** Buffers of one size that are filled over and over; who asks for more than there are waits. */
export class BlockPool {
  /** Of all buffers made so far. */
  heldBytes = 0
  private readonly free: ArrayBuffer[] = []
  private readonly waiting: ((buffer: ArrayBuffer) => void)[] = []

  constructor(
    private readonly blockBytes: number,
    private readonly count: number,
  ) {}

  async take(): Promise<ArrayBuffer> {
    const free = this.free.pop()
    if (free) return free
    if (this.heldBytes < this.count * this.blockBytes) {
      this.heldBytes += this.blockBytes
      return new ArrayBuffer(this.blockBytes)
    }
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** Takes a buffer back, or one that holds the same memory. */
  give(buffer: ArrayBuffer): void {
    const next = this.waiting.shift()
    if (next) next(buffer)
    else this.free.push(buffer)
  }
}
