import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

export interface Hub {
  readonly origin: string
  /** Ranges of weight files that were asked for, with the bytes that were sent of each. */
  readonly sent: { path: string; start: number; bytes: number }[]
  /** While true, no more than half of a weight file is sent. */
  isStuck: boolean
  close(): Promise<void>
}

const isWeights = (path: string) => path.endsWith('.safetensors')

/** A hub of one repository, `owner/name`, with the files of a folder, on an origin of its own. */
export async function openHub(folder: string): Promise<Hub> {
  const files = new Map(
    readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = join(entry.parentPath, entry.name)
        return [file.slice(folder.length + 1), readFileSync(file)] as const
      }),
  )
  const tree = [...files].map(([path, bytes]) => ({
    type: 'file',
    path,
    size: bytes.length,
    ...(isWeights(path) && { lfs: { oid: createHash('sha256').update(bytes).digest('hex') } }),
  }))
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', '*')
    response.setHeader('access-control-expose-headers', '*')
    if (request.method === 'OPTIONS') return void response.end()
    const url = decodeURIComponent(new URL(request.url!, 'http://hub').pathname)
    if (url.startsWith('/api/models/owner/name/tree/')) return void response.end(JSON.stringify(tree))
    const path = url.replace('/owner/name/resolve/main/', '')
    const bytes = files.get(path)
    if (!bytes) return void response.writeHead(404).end()
    const [, from = '0', to = ''] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? []
    const start = Number(from)
    const end = to ? Number(to) + 1 : bytes.length
    response.writeHead(request.headers.range ? 206 : 200, {
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
    })
    if (request.method === 'HEAD') return void response.end()
    const most = hub.isStuck && isWeights(path) ? Math.max(start, Math.min(end, bytes.length >> 1)) : end
    if (isWeights(path)) hub.sent.push({ path, start, bytes: most - start })
    response.write(bytes.subarray(start, most))
    if (most === end) response.end()
  }
  const server = createServer(answer)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const hub: Hub = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: [],
    isStuck: false,
    close() {
      server.closeAllConnections()
      return new Promise((closed) => server.close(() => closed()))
    },
  }
  return hub
}
