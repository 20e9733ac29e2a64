import type { AskEvent, Reply } from '../worker/api'

/**
 * An answer while it is written: iterate it for its events as they come, or await `reply` for the whole.
 *
 * Leaving the loop early stops the answer; `reply` then resolves with what was said so far. Events wait until they are asked
 * for; one loop sees each of them once.
 */
export class Answer implements AsyncIterable<AskEvent> {
  /** The whole reply. Rejects as the engine's `ask` does. */
  readonly reply: Promise<Reply>
  private readonly events: AskEvent[] = []
  private wake: () => void = () => {}
  private isOver = false

  constructor(
    start: (onEvent: (event: AskEvent) => void) => Promise<Reply>,
    /** Ends the answer at once. */
    readonly stop: () => Promise<void>,
  ) {
    const over = () => {
      this.isOver = true
      this.wake()
    }
    this.reply = start((event) => {
      this.events.push(event)
      this.wake()
    })
    this.reply.then(over, over)
  }

  /** The reply's text alone, piece by piece. */
  async *text(): AsyncGenerator<string, void> {
    for await (const event of this) if (event.type === 'token') yield event.text
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AskEvent, void> {
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
      // A failed answer fails the loop too.
      await this.reply
    } finally {
      if (isLeft && !this.isOver) await this.stop()
    }
  }
}
