import type { AskEvent, AskRequest, Reply } from '../../../worker/api'
import type { EngineClient } from '../../../worker/client'
import { emptyReply } from '../../../worker/empty-reply'
import { quietly } from './engine-calls'

interface Ask {
  owner: object
  request: AskRequest
  onEvent: (event: AskEvent) => void
  resolve: (reply: Reply) => void
  reject: (error: unknown) => void
  isAborted: boolean
}

/**
 * Questions of several owners to one engine, in the order they came. They wait here and not in the engine, whose `abort`
 * ends whatever answer runs.
 */
export class AskQueue {
  #client: EngineClient
  #waiting: Ask[] = []
  #running: Ask | undefined
  #lastOwner: object | undefined

  constructor(client: EngineClient) {
    this.#client = client
  }

  /** Whose question the engine took last; undefined before the first. */
  get lastOwner(): object | undefined {
    return this.#lastOwner
  }

  ask(owner: object, request: AskRequest, onEvent: (event: AskEvent) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ owner, request, onEvent, resolve, reject, isAborted: false })
      this.#next()
    })
  }

  /** Ends this owner's questions and nobody else's. */
  async abort(owner: object): Promise<void> {
    const dropped = this.#waiting.filter((ask) => ask.owner === owner)
    this.#waiting = this.#waiting.filter((ask) => ask.owner !== owner)
    for (const { resolve } of dropped) resolve(emptyReply(0))
    if (this.#running?.owner !== owner) return
    this.#running.isAborted = true
    await this.#client.abort()
  }

  #next(): void {
    if (this.#running) return
    const ask = this.#waiting.shift()
    if (!ask) return
    this.#running = ask
    this.#lastOwner = ask.owner
    this.#client
      .ask(ask.request, (event) => this.#pass(ask, event))
      .then(ask.resolve, ask.reject)
      .finally(() => {
        this.#running = undefined
        this.#next()
      })
  }

  #pass(ask: Ask, event: AskEvent): void {
    // The engine forgets an abort that comes before the question's turn, as behind a look or a step of training.
    if (ask.isAborted && ask === this.#running) quietly(this.#client.abort())
    ask.onEvent(event)
  }
}
