import type { Page, Request } from '@playwright/test'
import type { AskEvent, LocalReply } from '../../src/worker/api'

/** What crossed the boundary between page and worker, as the page got it. */
export interface Crossed {
  replies: LocalReply[]
  events: AskEvent[]
}

/**
 * Keeps a copy of every reply and event the worker sends, in `globalThis.crossed` of the page.
 *
 * Runs in the page ahead of its scripts. Token ids are compared this way: the page itself shows text alone.
 */
export async function recordCrossings(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const crossed: Crossed = { replies: [], events: [] }
    Object.assign(globalThis, { crossed })
    const record = ({ data }: MessageEvent) => {
      // comlink: an answer carries `value`, a call of a callback carries `argumentList`.
      const values: unknown[] = [
        data?.value,
        ...(data?.argumentList ?? []).map((a: { value: unknown }) => a.value),
      ]
      for (const value of values) {
        if (typeof value !== 'object' || value === null) continue
        if ('tokenIds' in value) crossed.replies.push(value as LocalReply)
        if ('type' in value && ['encoding', 'tower', 'prefill', 'token'].includes(String(value.type)))
          crossed.events.push(value as AskEvent)
      }
    }
    const PlainWorker = globalThis.Worker
    globalThis.Worker = class extends PlainWorker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options)
        this.addEventListener('message', record)
      }
    }
    const start = MessagePort.prototype.start
    MessagePort.prototype.start = function () {
      this.addEventListener('message', record)
      start.call(this)
    }
  })
}

/** What a page must never do, gathered while it lives. */
export class Offences {
  /** Errors nobody caught, errors and warnings in the console: also of WebGPU and the content security policy. */
  readonly errors: string[] = []
  /** Addresses on another origin that were asked for. */
  readonly foreign: string[] = []

  constructor(readonly origin: string) {}

  watch(page: Page) {
    page.on('pageerror', (error) => this.errors.push(`uncaught ${error.name}: ${error.message}`))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.errors.push(`console: ${message.text()}`)
    })
    page.on('request', (request: Request) => {
      const url = new URL(request.url())
      if (/^https?:|^wss?:/.test(url.protocol) && url.origin !== this.origin) this.foreign.push(request.url())
    })
  }

  /** Takes errors a test has provoked off the list. */
  forgive(pattern: RegExp): void {
    const rest = this.errors.filter((error) => !pattern.test(error))
    this.errors.splice(0, Infinity, ...rest)
  }
}
