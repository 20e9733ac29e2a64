// Both sides in one headless Chromium: the engine in a worker, as in the page, and onnxruntime-web in another.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { findChromium } from '../../src/cli/vulkan.mjs'
import { buildWorker, folder as built, root } from '../build.mjs'
import { ensureGraph } from '../peer/graphs.mjs'
import { succeeded } from '../side.mjs'
import { childrenCpuMs } from './cpu-time.mjs'
import { serve } from './server.mjs'

/** @typedef {import('../side.mjs').Asked} Asked */

const COMMON = [
  '--enable-unsafe-webgpu',
  '--enable-webgpu-developer-features', // the adapter's name
  '--ignore-gpu-blocklist',
]
const FLAGS = {
  // As the browser tests have it.
  chromium: [
    '--use-webgpu-adapter=swiftshader',
    '--enable-features=Vulkan',
    '--use-vulkan=swiftshader',
    '--disable-gpu-compositing',
  ],
  'chromium-gpu': ['--enable-features=Vulkan', '--use-angle=vulkan', '--disable-vulkan-surface'],
}

/** @typedef {keyof typeof FLAGS} BrowserAdapter */

/** @param {string} name @returns {name is BrowserAdapter} */
export const isBrowserAdapter = (name) => name in FLAGS

/**
 * Starts the browser.
 *
 * @param {BrowserAdapter} adapter
 * @returns {Promise<import('../beside-peer.mjs').Stage & { close: () => Promise<void> }>}
 */
export async function openChromium(adapter) {
  await buildWorker()
  const graphs = join(built, 'onnx')
  const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'))
  const server = await serve({ bench: join(root, 'bench'), engine: built, graphs, runtime })
  const browser = await launch(adapter)
  const page = await browser.newPage()
  await page.goto(server.url)
  const version = `onnxruntime-web ${packageVersion(runtime)}, Chromium ${browser.version()}`
  return {
    adapter,
    ours: () => startWorker(page, 'ours', '/engine/engine-worker.js'),
    async peer() {
      const side = await startWorker(page, 'peer', '/bench/peer/worker.mjs')
      return {
        ...side,
        async ask(/** @type {any} */ command) {
          if (command.do !== 'prepare') return side.ask(command)
          const graph = ensureGraph(graphs, command.preset, command.device)
          return { ...(await side.ask({ ...command, graph })), version }
        },
      }
    },
    async close() {
      await browser.close()
      server.close()
    },
  }
}

/** @param {BrowserAdapter} adapter */
export async function launch(adapter) {
  const { chromium } = await import('@playwright/test')
  return chromium.launch({ executablePath: findChromium(), args: [...COMMON, ...FLAGS[adapter]] })
}

/** @param {string} inside  a folder of the package */
function packageVersion(inside) {
  return JSON.parse(readFileSync(join(inside, '../package.json'), 'utf8')).version
}

/**
 * A worker that answers a message with a message. CPU time is that of all the browser's processes, since the adapter's work
 * is in another than the worker's; the other side waits meanwhile.
 *
 * @param {import('@playwright/test').Page} page @param {string} name @param {string} url
 * @returns {Promise<Asked>}
 */
export async function startWorker(page, name, url) {
  const worker = await page.evaluateHandle((url) => new Worker(url, { type: 'module' }), url)
  return {
    async ask(command) {
      const cpuStarted = childrenCpuMs()
      const answer = await worker.evaluate(
        (worker, command) =>
          new Promise((resolve, reject) => {
            worker.onmessage = ({ data }) => resolve(data)
            worker.onerror = ({ message }) => reject(new Error(message || 'the worker did not load'))
            worker.postMessage(command)
          }),
        /** @type {any} */ (command),
      )
      const cpuMs = childrenCpuMs() - cpuStarted
      return { ...succeeded(name, answer), cpuMs }
    },
    end: () => void worker.evaluate((worker) => worker.terminate()).catch(() => {}),
  }
}
