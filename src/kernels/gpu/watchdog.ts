/** How often it looks. Each look gives the event loop a turn: a thread that was busy or asleep is not taken for the GPU. */
const LOOK_MS = 5_000

/** Slowest work seen so far, times this: what a device may take longer before it is given up. */
const PATIENCE = 20

export interface WatchdogOptions {
  /** Without anything done for this long, the device counts as hung. Never less; more on devices seen to be slow. */
  readonly boundMs: number
  readonly lookMs?: number
  /** Called once. */
  readonly onHang: (waitedMs: number, what: string) => void
}

/**
 * Notices that a GPU does nothing any more: work was handed in, and for a long time none of it ended.
 *
 * Time counts in looks at which the thread ran, not by the clock: a laptop that slept, or a page that computed for a
 * minute, gets its events before the next look.
 */
export class Watchdog {
  private readonly waiting = new Map<Promise<unknown>, { readonly what: string; readonly since: number }>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private idleLooks = 0
  private slowestMs = 0
  private isOver = false

  constructor(private readonly options: WatchdogOptions) {}

  /** True while nothing is waited for. */
  get isIdle(): boolean {
    return this.waiting.size === 0
  }

  /** How long the device may do nothing, in milliseconds. */
  get boundMs(): number {
    return Math.max(this.options.boundMs, PATIENCE * this.slowestMs)
  }

  /** Watches work until it ends, well or not. `what` names it in words. */
  expect(work: Promise<unknown>, what: string): void {
    if (this.isOver) return
    this.waiting.set(work, { what, since: performance.now() })
    const ended = () => this.ended(work)
    work.then(ended, ended)
    this.timer ??= this.lookLater()
  }

  /** Looks no more. */
  stop(): void {
    this.isOver = true
    this.waiting.clear()
    clearTimeout(this.timer)
  }

  private ended(work: Promise<unknown>): void {
    const entry = this.waiting.get(work)
    if (!entry) return
    this.waiting.delete(work)
    this.idleLooks = 0
    // Of what lies in one queue, only the first says how long work takes.
    for (const first of this.waiting.values()) {
      if (first.since < entry.since) return
      break
    }
    this.slowestMs = Math.max(this.slowestMs, performance.now() - entry.since)
  }

  private lookLater(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.look(), this.options.lookMs ?? LOOK_MS)
    // In Node a timer would keep the process alive.
    if (typeof timer === 'object') (timer as { unref?: () => void }).unref?.()
    return timer
  }

  private look(): void {
    this.timer = undefined
    if (this.isOver) return
    const [first] = this.waiting.values()
    if (!first) {
      this.idleLooks = 0
      return
    }
    const waitedMs = this.idleLooks++ * (this.options.lookMs ?? LOOK_MS)
    if (waitedMs < this.boundMs) {
      this.timer = this.lookLater()
      return
    }
    this.stop()
    this.options.onHang(waitedMs, first.what)
  }
}
