import type { AskEvent, Reply } from '../worker/api'
import { Ongoing } from './ongoing'

/** An answer while it is written: iterate it for its events as they come, or await `reply` for the whole. */
export class Answer extends Ongoing<AskEvent, Reply> {
  constructor(
    start: (onEvent: (event: AskEvent) => void) => Promise<Reply>,
    private readonly abort: () => Promise<void>,
  ) {
    super(start)
  }

  /** The whole reply; of an answer that was stopped, what was said so far. Rejects as the engine's `ask` does. */
  get reply(): Promise<Reply> {
    return this.result
  }

  /** The reply's text alone, piece by piece. */
  async *text(): AsyncGenerator<string, void> {
    for await (const event of this) if (event.type === 'token') yield event.text
  }

  /** Ends this answer at once, and no other. */
  override stop(): Promise<void> {
    return this.abort()
  }
}
