import type { AskEvent, AskRequest, Reply } from '../worker/api'
import type { EngineClient } from '../worker/client'
import { emptyReply } from '../worker/empty-reply'

interface Turn {
  readonly request: AskRequest
  readonly onEvent: (event: AskEvent) => void
  readonly resolve: (reply: Reply) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Requests in the order they came; each has its turn when the one before is answered. They wait here and not in the
 * engine, whose `abort` ends whatever it was asked.
 */
export class Turns {
  private readonly waiting: Turn[] = []
  private running: Turn | undefined

  constructor(private readonly client: EngineClient) {}

  /** Rejects as the engine's `ask` does. */
  ask(request: AskRequest, onEvent: (event: AskEvent) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, onEvent, resolve, reject })
      void this.next()
    })
  }

  /** Ends one request, known by its object. One that waits is never asked: its reply is empty. */
  async stop(request: AskRequest): Promise<void> {
    if (this.running?.request === request) return this.client.abort()
    const at = this.waiting.findIndex((turn) => turn.request === request)
    if (at >= 0) this.waiting.splice(at, 1)[0]!.resolve(emptyReply(0))
  }

  /** Ends every request that waits, as `stop` does. */
  stopWaiting(): void {
    for (const { resolve } of this.waiting.splice(0)) resolve(emptyReply(0))
  }

  /** Fails every request that waits. */
  rejectWaiting(reason: Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(reason)
  }

  private async next(): Promise<void> {
    if (this.running) return
    const turn = this.waiting.shift()
    if (!turn) return
    this.running = turn
    try {
      turn.resolve(await this.client.ask(turn.request, turn.onEvent))
    } catch (error) {
      turn.reject(error)
    }
    this.running = undefined
    void this.next()
  }
}
