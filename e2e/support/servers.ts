import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/** What lies at a path: bytes, or the folder in which the rest of the path is a file. */
type Answer = { body: string | Buffer; type?: string; headers?: Record<string, string> } | undefined

const servers = new Set<Server>()

/**
 * Starts a server on a port of its own, which is another origin than all others, and gives its origin. Pages of any origin
 * may read what it serves.
 */
export async function serve(answer: (path: string) => Answer): Promise<string> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, 'http://x').pathname)
    const found = answer(path)
    response.writeHead(found ? 200 : 404, {
      'access-control-allow-origin': '*',
      'content-type': found?.type ?? TYPES[extname(path)] ?? 'application/octet-stream',
      'content-length': Buffer.byteLength(found?.body ?? ''),
      ...found?.headers,
    })
    response.end(request.method === 'HEAD' ? undefined : found?.body)
  })
  servers.add(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The file at a path below a folder, if it is there. */
export function fileIn(folder: string, path: string): Answer {
  try {
    return { body: readFileSync(join(folder, path)) }
  } catch {
    return undefined
  }
}

/** Ends all of them. */
export function closeServers(): void {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  servers.clear()
}
