import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { seededRandom } from './random'
import { sendFile, serve, type TestServer } from './server'

/** What may go wrong with one request. */
export const FAULTS = [
  /** The connection breaks at a random byte of the body. */
  'drop',
  /** Nothing more comes after a random byte, on an open connection. */
  'stall',
  /** 206 with bytes from elsewhere, which Content-Range says. */
  'wrong range',
  /** 206 with bytes from elsewhere under the Content-Range that was asked for. */
  'lying range',
  /** 200 and the whole file. */
  'whole file',
  /** One bit is flipped. */
  'corrupt',
  'busy 429',
  'busy 503',
  /** The file is another one of the same size from now on, on all requests; its hash is as before. */
  'changed',
  /** The file is shorter from now on. */
  'cut',
] as const

export type Fault = (typeof FAULTS)[number]

export interface FaultyHub {
  readonly origin: string
  /** What went wrong so far, in order. */
  readonly log: { path: string; fault: Fault }[]
  /** Requests as the hub and its file host got them. */
  readonly hub: TestServer['requests']
  readonly files: TestServer['requests']
  /** From now on all goes well, and files are what they were at first. */
  heal(): void
  close(): Promise<void>
}

/**
 * A hub of one repository, `owner/name`, that states the hashes of its files and redirects to a file host. On each request
 * for a file's bytes something of `faults` goes wrong with probability `rate`, the same for the same seed.
 */
export async function faultyHub(
  repository: Readonly<Record<string, Uint8Array>>,
  { seed, rate, faults = FAULTS }: { seed: number; rate: number; faults?: readonly Fault[] },
): Promise<FaultyHub> {
  const random = seededRandom(seed)
  const log: FaultyHub['log'] = []
  let served: Record<string, Uint8Array> = { ...repository }
  let isHealed = false

  const files = await serve((request, response) => {
    const path = decodeURIComponent(request.url!.slice(1))
    const bytes = served[path]
    if (!bytes) return void response.writeHead(404).end()
    const isFaulty = !isHealed && request.method === 'GET' && random() < rate
    if (!isFaulty) return sendFile(request, response, bytes)
    const fault = faults[Math.floor(random() * faults.length)]!
    log.push({ path, fault })
    if (fault === 'changed') served[path] = repository[path]!.map((byte) => byte ^ 0x55)
    if (fault === 'cut') served[path] = bytes.subarray(0, Math.floor(bytes.length * random()))
    misbehave(fault, request, response, served[path]!, random)
  })
  const hub = await serve((request, response) => {
    if (request.url!.startsWith('/api/models/owner/name/tree/')) {
      return void response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify(Object.entries(repository).map(listed)))
    }
    const path = /^\/owner\/name\/resolve\/[^/]+\/(.+)$/.exec(request.url!)?.[1]
    if (path === undefined || !(decodeURIComponent(path) in served)) return void response.writeHead(404).end()
    response.writeHead(302, { location: `${files.origin}/${path}` }).end()
  })
  return {
    origin: hub.origin,
    log,
    hub: hub.requests,
    files: files.requests,
    heal() {
      isHealed = true
      served = { ...repository }
    },
    close: async () => void (await Promise.all([hub.close(), files.close()])),
  }
}

/** An entry of the hub's listing. Small text files are not in LFS and have no hash there. */
function listed([path, bytes]: [string, Uint8Array]) {
  const entry = { type: 'file', path, size: bytes.length }
  if (path.endsWith('.json')) return entry
  return { ...entry, lfs: { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length } }
}

function misbehave(
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  random: () => number,
): void {
  const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const start = Number(from)
  const end = to ? Math.min(Number(to) + 1, bytes.length) : bytes.length
  switch (fault) {
    case 'busy 429':
    case 'busy 503':
      return void response.writeHead(Number(fault.slice(-3)), { 'retry-after': '1' }).end()
    case 'drop':
    case 'stall': {
      const some = Math.floor((end - start) * random())
      head(response, start, end, bytes.length)
      response.write(bytes.subarray(start, start + some), () => {
        if (fault === 'drop') response.destroy()
      })
      return
    }
    case 'wrong range':
    case 'lying range': {
      const elsewhere = start === 0 ? 1 : start - 1
      const length = Math.min(end - start, bytes.length - elsewhere)
      const said = fault === 'wrong range' ? elsewhere : start
      head(response, said, said + length, bytes.length)
      return void response.end(bytes.subarray(elsewhere, elsewhere + length))
    }
    case 'whole file':
      return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    case 'corrupt': {
      const flipped = bytes.slice()
      flipped[start + Math.floor((end - start) * random())]! ^= 1 << Math.floor(8 * random())
      return sendFile(request, response, flipped)
    }
    case 'changed':
    case 'cut':
      return sendFile(request, response, bytes)
  }
}

function head(response: ServerResponse, start: number, end: number, sizeBytes: number): void {
  response.writeHead(206, {
    'content-range': `bytes ${start}-${end - 1}/${sizeBytes}`,
    'content-length': end - start,
  })
}
