// How quickly weights come from a local server to the GPU, beside a plain fetch to nowhere.
//
//   node tools/load-speed.mjs [DIR] [--dtype f16|q4|q8|f32] [--adapter A] [--rounds N] [--no-hash]
//
// DIR is a checkpoint's folder; default: the one that `node tools/full-shape.mjs write` writes. It is served from the memory
// of a process of its own, with a SHA256SUMS file, so that every byte is hashed on its way. Both fetch two files at a time,
// in turns in one process; medians are told. In Node the time from a load's start to the first token is told too. With the
// adapters chromium and chromium-gpu both are in a page's worker, and CPU time is that of the browser and the server.

import { fork, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isBrowserAdapter } from '../bench/browser/chromium.mjs'
import { bundleForNode } from './bundle.mjs'
import { runInChromium } from './load-speed/chromium.mjs'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    dtype: { type: 'string', default: 'f16' },
    adapter: { type: 'string', default: 'lavapipe' },
    rounds: { type: 'string', default: '5' },
    hash: { type: 'boolean', default: true },
  },
})
const folder = positionals[0] ?? join(root, '.cache/full-shape')
if (!existsSync(join(folder, 'config.json'))) {
  console.error(
    `load-speed: expected a checkpoint in ${folder}; write one with node tools/full-shape.mjs write`,
  )
  process.exit(1)
}
const server = fork(join(root, 'tools/load-speed/server.mjs'), [folder])
try {
  const url = await new Promise((done) => server.once('message', done))
  const { dtype, adapter, hash } = values
  const options = { url, dtype, hash, rounds: Number(values.rounds) }
  const { fetched, loaded, ...rest } = isBrowserAdapter(adapter)
    ? await runInChromium(adapter, options)
    : await run(await bundleForNode('tools/load-speed/main.ts', 'dist/load-speed/main.js'), {
        ...options,
        adapter,
      })
  console.log(JSON.stringify({ ...rest, fetched, loaded }, null, 2))
  const [plain, engine] = [median(fetched, 'mbps'), median(loaded, 'mbps')]
  const cpu = median(loaded, 'cpuMs') / median(fetched, 'cpuMs')
  const first = rest.firstTokenMs ? ` load to first token ${(rest.firstTokenMs / 1e3).toFixed(1)} s;` : ''
  console.log(
    `fetch ${plain.toFixed(0)} MB/s, load ${engine.toFixed(0)} MB/s: ratio ${(engine / plain).toFixed(2)}, ` +
      `of CPU time ${cpu.toFixed(1)} times;${first} load average ${loadavg()[0]?.toFixed(1)}`,
  )
} finally {
  server.disconnect()
}

/**
 * @param {string} bundle
 * @param {object} options
 * @returns {Promise<any>} what load-speed/main.ts prints
 */
async function run(bundle, options) {
  const child = spawn(process.execPath, ['--enable-source-maps', bundle, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  const status = await new Promise((done) => child.on('close', done))
  if (status !== 0) throw new Error(`load-speed: the engine ended with status ${status}`)
  return JSON.parse(stdout)
}

/**
 * @param {Record<string, number>[]} rows
 * @param {string} name
 */
function median(rows, name) {
  const sorted = rows.map((row) => row[name] ?? NaN).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}
