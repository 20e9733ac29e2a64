// Serves a folder from memory with byte ranges, in a process of its own; says its address to the parent.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const [folder = '.'] = process.argv.slice(2)
/** @type {Map<string, Buffer>} */
const files = new Map()
for (const name of readdirSync(folder)) {
  if (statSync(join(folder, name)).isFile()) files.set(name, readFileSync(join(folder, name)))
}
const sums = [...files].map(
  ([name, bytes]) => `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`,
)
files.set('SHA256SUMS', Buffer.from(sums.join('')))

const server = createServer((request, response) => {
  const bytes = files.get(decodeURIComponent((request.url ?? '/').slice(1)))
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('access-control-allow-headers', 'range')
  response.setHeader('access-control-expose-headers', 'content-range')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-type', 'application/octet-stream')
  if (request.method === 'OPTIONS') return response.end()
  if (!bytes) return response.writeHead(404).end()
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const start = Number(from ?? 0)
  const end = to ? Math.min(Number(to) + 1, bytes.length) : bytes.length
  response.writeHead(from === undefined ? 200 : 206, {
    'content-length': end - start,
    ...(from !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end))
})
server.listen(0, '127.0.0.1', () => {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  process.send?.(`http://127.0.0.1:${address.port}/`)
})
process.on('disconnect', () => process.exit())
