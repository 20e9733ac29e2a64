// npm start: builds the page where its sources are newer, serves it, prints the URL.
//
//   npm start -- [--port N] [--host ADDRESS]     default: 4173 (or the next free one) on this machine only

import { parseArgs } from 'node:util'
import { APP_FOLDER, appIsStale, buildApp, root } from './app-build.mjs'

const { values } = parseArgs({ options: { port: { type: 'string' }, host: { type: 'string' } } })

if (appIsStale()) {
  console.log('Building the page (once, and again when sources change) ...')
  await buildApp()
}
const { preview } = await import('vite')
const server = await preview({
  root,
  build: { outDir: APP_FOLDER },
  // Browsers offer WebGPU over https or on localhost only.
  preview: { port: Number(values.port ?? 4173), host: values.host ?? 'localhost' },
})
const url = server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0]
console.log(`\nTrilobite is at ${url}\nOpen it in a browser with WebGPU. Ctrl+C ends the server.`)
