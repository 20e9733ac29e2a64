// Serves what the benchmark's page loads, cross-origin isolated: precise clocks, and threads for WebAssembly.

import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'

/** @type {Record<string, string>} */
const TYPES = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
}
const PAGE = '<!doctype html><title>Benchmark</title><link rel="icon" href="data:,">'

/**
 * @param {Record<string, string>} folders  by the first part of the path
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export async function serve(folders) {
  const server = createServer(({ url = '/' }, response) => {
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    const { pathname } = new URL(url, 'http://localhost')
    if (pathname === '/') {
      response.setHeader('Content-Type', 'text/html').end(PAGE)
      return
    }
    const file = fileOf(folders, decodeURIComponent(pathname))
    const stats = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })
    if (file === undefined || !stats?.isFile()) {
      response.writeHead(404).end()
      return
    }
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
    response.setHeader('Content-Length', stats.size)
    createReadStream(file).pipe(response)
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', () => listening(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return { url: `http://127.0.0.1:${port}/`, close: () => void server.close() }
}

/** @param {Record<string, string>} folders @param {string} path @returns {string | undefined} */
function fileOf(folders, path) {
  const [, mount = '', ...rest] = path.split('/')
  const folder = folders[mount]
  const file = folder && normalize(join(folder, ...rest))
  return folder && file?.startsWith(folder + sep) ? file : undefined
}
