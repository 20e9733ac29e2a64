import type { Gpu } from './device'
import { PassTimer } from './pass-timer'
import { Recorder } from './recorder'

/** Time of all dispatches of one kernel. */
export interface KernelTime {
  readonly kernel: string
  dispatches: number
  ms: number
  /** Multiply-adds times two that were declared; 0 for kernels that declare none. */
  flops: number
}

/** What ran between entering one part of the work and another. */
export interface ProfiledPart {
  readonly part: string
  /** Steps it was entered for, as far as they were timed. */
  steps: number
  /** Clock when it was first entered, in milliseconds of performance.now. */
  readonly enteredAt: number
  /** Slowest first. */
  readonly kernels: KernelTime[]
}

/**
 * Times every dispatch of every encoder of a device while it is there; `gpu.profiler` is undefined otherwise, and
 * nothing of it takes part.
 *
 * With timestamp queries each dispatch gets a compute pass of its own that writes when it began and ended. Without them
 * what ran is run once more afterwards, a dispatch at a time with a submit and a wait, which costs a fraction of a
 * millisecond each: compare shares then and not sums.
 */
export class Profiler {
  readonly timer: PassTimer | undefined
  readonly recorder: Recorder | undefined
  private readonly parts = new Map<string, ProfiledPart & { readonly rows: Map<string, KernelTime> }>()
  private current: string | undefined

  private constructor(private readonly gpu: Gpu) {
    if (gpu.caps.timestampQuery) this.timer = new PassTimer(gpu)
    else this.recorder = new Recorder(gpu)
  }

  /** Begins to time what is recorded from now on, once a part is entered. */
  static start(gpu: Gpu): Profiler {
    return (gpu.profiler = new Profiler(gpu))
  }

  /** What follows belongs to this part, and is one step of it, or several at once. */
  enter(part: string, steps = 1): void {
    let entered = this.parts.get(part)
    if (!entered) {
      entered = { part, steps: 0, enteredAt: performance.now(), kernels: [], rows: new Map() }
      this.parts.set(part, entered)
    }
    const isTimed = this.recorder?.takesStep(entered.steps) ?? true
    this.current = isTimed ? part : undefined
    if (isTimed) entered.steps += steps
  }

  /** Counts a dispatch. Returns: where its time is to be added; undefined for one that is not timed. */
  count(kernel: string, flops = 0): KernelTime | undefined {
    if (this.current === undefined) return undefined
    const { rows } = this.parts.get(this.current)!
    let row = rows.get(kernel)
    if (!row) rows.set(kernel, (row = { kernel, dispatches: 0, ms: 0, flops: 0 }))
    row.dispatches++
    row.flops += flops
    return row
  }

  /** True while operations belong to a part. */
  get isTiming(): boolean {
    return this.current !== undefined
  }

  /** Ends it without a result; harmless where it has ended. */
  abandon(): void {
    this.gpu.profiler = undefined
    this.timer?.destroy()
    this.recorder?.destroy()
  }

  /**
   * Ends it, once everything recorded has been submitted.
   *
   * Returns: the parts in the order they were entered, without those that dispatched nothing.
   * Throws: DeviceLostError.
   */
  async stop(): Promise<ProfiledPart[]> {
    this.gpu.profiler = undefined
    try {
      await this.timer?.settle()
      await this.recorder?.playBack()
    } finally {
      this.abandon()
    }
    return [...this.parts.values()]
      .filter(({ rows }) => rows.size > 0)
      .map(({ part, steps, enteredAt, rows }) => ({
        part,
        steps,
        enteredAt,
        kernels: [...rows.values()].sort((a, b) => b.ms - a.ms),
      }))
  }
}
