// The steps in a worker of a page, in a headless Chromium.

import { dirname } from 'node:path'
import { launch, startWorker } from '../../bench/browser/chromium.mjs'
import { serve } from '../../bench/browser/server.mjs'
import { bundleForWorker } from '../bundle.mjs'

/**
 * @param {import('../../bench/browser/chromium.mjs').BrowserAdapter} adapter
 * @param {{ rounds: number }} options  and those of steps.ts
 */
export async function runInChromium(adapter, { rounds, ...options }) {
  const bundle = await bundleForWorker('tools/load-speed/worker.ts', 'dist/load-speed/worker.js')
  const server = await serve({ engine: dirname(bundle) })
  const browser = await launch(adapter)
  try {
    const page = await browser.newPage()
    await page.goto(server.url)
    const worker = await startWorker(page, 'load-speed', '/engine/worker.js')
    const opened = await worker.ask({ do: 'open', options })
    const fetched = []
    const loaded = []
    for (let round = 0; round < rounds; round++) {
      fetched.push(await worker.ask({ do: 'fetch' }))
      loaded.push(await worker.ask({ do: 'load' }))
    }
    return { ...opened, browser: browser.version(), fetched, loaded }
  } finally {
    await browser.close()
    server.close()
  }
}
