/** As shells report a program that Ctrl+C ended. */
export const INTERRUPTED = 130

/** Ctrl+C: the first one ends in good order what is going on, the second one ends the process. */
export class Interrupt {
  private readonly controller = new AbortController()

  private constructor() {}

  static watch(): Interrupt {
    const interrupt = new Interrupt()
    process.on('SIGINT', () => {
      if (interrupt.seen) process.exit(INTERRUPTED)
      interrupt.controller.abort()
    })
    return interrupt
  }

  get seen(): boolean {
    return this.controller.signal.aborted
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Called at the first one. */
  on(listener: () => void): void {
    this.controller.signal.addEventListener('abort', listener)
  }
}
