// npm start: builds the page where its sources are newer, serves it, prints the URL.
//
//   npm start -- [--port N [--strict-port]] [--host ADDRESS]   default: 4173 or the next free one, this machine only

import { parseArgs } from 'node:util'
import { APP_FOLDER, appIsStale, buildApp, root } from './app-build.mjs'

const { values } = parseArgs({
  options: { port: { type: 'string' }, host: { type: 'string' }, 'strict-port': { type: 'boolean' } },
})

if (appIsStale()) {
  console.log('Building the page (once, and again when sources change) ...')
  await buildApp()
}
const { preview } = await import('vite')
const server = await preview({
  root,
  // A file that is not there is a 404, not the page: checkpoints have optional files.
  appType: 'mpa',
  build: { outDir: APP_FOLDER },
  // Browsers offer WebGPU over https or on localhost only.
  preview: {
    port: Number(values.port ?? 4173),
    strictPort: values['strict-port'] ?? false,
    host: values.host ?? 'localhost',
  },
})
const url = server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0]
console.log(`\nTrilobite is at ${url}\nOpen it in a browser with WebGPU. Ctrl+C ends the server.`)
