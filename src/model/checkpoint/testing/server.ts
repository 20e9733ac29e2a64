import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TestServer {
  /** Without a slash at its end. */
  readonly origin: string
  readonly requests: { method: string; url: string; headers: IncomingMessage['headers'] }[]
  close(): Promise<void>
}

/** A local server on a free port. */
export async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<TestServer> {
  const requests: TestServer['requests'] = []
  const server = createServer((request, response) => {
    requests.push({ method: request.method!, url: request.url!, headers: request.headers })
    handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Answers as a well-behaved file server: HEAD, GET, byte ranges. */
export function sendFile(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  response.setHeader('accept-ranges', 'bytes')
  response.setHeader('content-type', 'application/octet-stream')
  if (!range) {
    response.setHeader('content-length', bytes.byteLength)
    response.end(request.method === 'HEAD' ? undefined : bytes)
    return
  }
  const start = Number(range[1])
  const end = range[2] ? Math.min(Number(range[2]) + 1, bytes.byteLength) : bytes.byteLength
  if (start >= bytes.byteLength) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.byteLength}` }).end()
    return
  }
  response.writeHead(206, {
    'content-range': `bytes ${start}-${end - 1}/${bytes.byteLength}`,
    'content-length': end - start,
  })
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end))
}
