/**
 * Something that goes on: iterate it for its events as they come, or await `result` for how it ends.
 *
 * Events wait until they are asked for; one loop sees each of them once. Leaving the loop early ends it.
 */
export abstract class Ongoing<Event, Result> implements AsyncIterable<Event> {
  /** How it ended. Rejects as the engine's call does. */
  readonly result: Promise<Result>
  private readonly events: Event[] = []
  private wake: () => void = () => {}
  private isOver = false

  constructor(start: (onEvent: (event: Event) => void) => Promise<Result>) {
    const over = () => {
      this.isOver = true
      this.wake()
    }
    this.result = start((event) => {
      this.events.push(event)
      this.wake()
    })
    this.result.then(over, over)
  }

  /** Ends it. */
  abstract stop(): Promise<void>

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void> {
    let isLeft = true
    try {
      for (;;) {
        const event = this.events.shift()
        if (event) {
          yield event
          continue
        }
        if (this.isOver) break
        await new Promise<void>((resolve) => (this.wake = resolve))
      }
      isLeft = false
      // What failed fails the loop too.
      await this.result
    } finally {
      if (isLeft && !this.isOver) await this.stop()
    }
  }
}
