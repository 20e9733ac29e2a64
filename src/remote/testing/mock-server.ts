import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as the server got it. */
export interface Received {
  method: string
  url: string
  headers: IncomingMessage['headers']
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read into what was sent
  body: any
}

/** Answers a request for a completion. */
export type Reply = (response: ServerResponse, request: Received) => void | Promise<void>

/** One event of a stream. */
export const event = (data: unknown): string =>
  `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

/** Events of an answer in pieces, with its end and its counts. */
export const answerEvents = (...pieces: string[]): string[] => [
  ...pieces.map((content) => event({ choices: [{ index: 0, delta: { content } }] })),
  event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  event({ choices: [], usage: { prompt_tokens: 40, completion_tokens: pieces.length + 1 } }),
  event('[DONE]'),
]

/** Begins a stream, and writes what is given. */
export function stream(response: ServerResponse, ...parts: string[]): void {
  if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (const part of parts) response.write(part)
}

/** Answers in JSON. */
export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** A server with OpenAI's protocol on this machine, which answers as a test says. */
export class MockServer {
  readonly received: Received[] = []
  /** Completions whose connection the asker closed. */
  closed = 0
  models: Reply = (response) => json(response, 200, { data: [{ id: 'tiny', max_model_len: 2048 }] })
  chat: Reply = (response) => {
    stream(response, ...answerEvents('Two ', 'shapes.'))
    response.end()
  }
  /** Pages of these origins may read; `*` for all, nothing for none. */
  allowedOrigin = '*'
  readonly #server = createServer((request, response) => void this.#handle(request, response))

  static async start(): Promise<MockServer> {
    const mock = new MockServer()
    mock.#server.listen(0, '127.0.0.1')
    await once(mock.#server, 'listening')
    return mock
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get baseUrl(): string {
    return `http://${this.host}/v1`
  }

  /** Bodies of requests for completions. */
  get asked(): Received['body'][] {
    return this.received.filter(({ method }) => method === 'POST').map(({ body }) => body as unknown)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #handle(request: IncomingMessage, response: ServerResponse) {
    const { method = '', url = '', headers } = request
    if (this.allowedOrigin) {
      response.setHeader('Access-Control-Allow-Origin', this.allowedOrigin)
      response.setHeader('Access-Control-Allow-Headers', 'authorization, content-type')
    }
    if (method === 'OPTIONS') return void response.writeHead(204).end()
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const text = Buffer.concat(parts).toString()
    const received: Received = {
      method,
      url,
      headers,
      body: text ? (JSON.parse(text) as unknown) : undefined,
    }
    this.received.push(received)
    if (method === 'GET' && url === '/v1/models') return this.models(response, received)
    if (method !== 'POST' || url !== '/v1/chat/completions')
      return json(response, 404, { detail: 'Not Found' })
    response.on('close', () => {
      if (!response.writableFinished) this.closed++
    })
    return this.chat(response, received)
  }
}
