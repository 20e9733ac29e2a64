import type { Page } from '@playwright/test'
import { join } from 'node:path'
import type { FakeMode } from './fake-engine'

let bundled: Promise<string> | undefined

/** Has the page's worker be the fake engine, which needs no GPU and plays what a test wants to see. */
export async function playEngine(page: Page, ...modes: FakeMode[]): Promise<void> {
  const body = await playing(modes)
  await page.route('**/assets/engine.worker-*.js', (route) =>
    route.fulfill({ contentType: 'text/javascript', body }),
  )
}

/** The same for elements and the library, whose worker lies in their own code. */
export async function playInlineEngine(page: Page, ...modes: FakeMode[]): Promise<void> {
  const body = await playing(modes)
  await page.addInitScript((script) => {
    const Real = globalThis.Worker
    globalThis.Worker = class extends Real {
      constructor(url: string | URL, options?: WorkerOptions) {
        const fake = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
        super(options?.name === 'trilobite-engine' ? fake : url, options)
      }
    }
  }, body)
}

async function playing(modes: readonly FakeMode[]): Promise<string> {
  bundled ??= bundle()
  return `globalThis.fakeModes = ${JSON.stringify(modes)};\n${await bundled}`
}

async function bundle(): Promise<string> {
  const { build } = await import('vite')
  const built = await build({
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    build: {
      write: false,
      lib: { entry: join(import.meta.dirname, 'fake-worker.ts'), formats: ['es'], fileName: 'fake' },
    },
  })
  const [bundle] = Array.isArray(built) ? built : [built]
  if (!bundle || !('output' in bundle)) throw new Error('the fake engine: expected a bundle, came a watcher')
  return bundle.output[0].code
}
