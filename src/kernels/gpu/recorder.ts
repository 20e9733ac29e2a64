import type { Gpu } from './device'
import { Encoder } from './encoder'
import { Arena } from './memory'
import type { KernelTime } from './profiler'

/** One operation of an encoder; played again it does the same on the same buffers. */
export interface Operation {
  play(enc: Encoder): void
  /** Where the time of a dispatch goes. */
  readonly row?: KernelTime
}

/** Steps of a part that are played back: each dispatch waits for its own end, and an answer may be hundreds of tokens. */
const MOST_STEPS = 16

/** Keeps what encoders do, to time it by doing it once more: needs no timestamp queries. */
export class Recorder {
  private readonly operations: Operation[] = []
  /** Destroyed behind their step, and needed to play it back. */
  private readonly kept = new Set<GPUBuffer>()

  constructor(private readonly gpu: Gpu) {}

  takesStep(number: number): boolean {
    return number < MOST_STEPS
  }

  add(operation: Operation): void {
    this.operations.push(operation)
  }

  /** Puts off a buffer's end where it may still be needed. Returns: whether it was put off. */
  keeps(buffer: GPUBuffer): boolean {
    if (this.operations.length === 0) return false
    this.kept.add(buffer)
    return true
  }

  /**
   * Does everything again, in order, waiting for each. What outlives a step holds afterwards what it held before, where it
   * was written and not added to.
   */
  async playBack(): Promise<void> {
    const { gpu } = this
    const enc = new Encoder(gpu, new Arena(gpu), 'profile')
    await gpu.finish()
    for (const { play, row } of this.operations) {
      const started = performance.now()
      play(enc)
      if (!row) continue
      enc.submit()
      await gpu.finish()
      row.ms += performance.now() - started
    }
    enc.submit()
    await gpu.finish()
  }

  destroy(): void {
    for (const buffer of this.kept) this.gpu.destroyBuffer(buffer)
    this.kept.clear()
  }
}
