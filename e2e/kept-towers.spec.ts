import { expect, test, type Page } from '@playwright/test'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PreviewServer } from 'vite'
import type { EnginePage } from './support/engine-page/page'

// Towers that are fetched for each question, from repositories on a server, in the page's engine on a page of its own.

const golden = join(import.meta.dirname, 'golden', 'original', 'cambrian-llama3')
const facts = JSON.parse(readFileSync(join(golden, 'expected.json'), 'utf8')) as {
  conv_mode: string
  /** Name in the config -> folder. */
  towers: Record<string, string>
  turns: { images: string[]; conversation: string[]; generated_ids: number[] }[]
}
const [wide, tall] = facts.turns
const MODEL = 'golden/cambrian-llama3'
const TOWERS = Object.values(facts.towers).map((folder) => folder.replace('towers/', ''))
const ANSWER = 4

let server: PreviewServer
let address: string

test.beforeAll(async () => {
  const { build, preview } = await import('vite')
  const root = join(import.meta.dirname, 'support', 'engine-page')
  const outDir = join(import.meta.dirname, '..', 'test-results', 'engine-page')
  const config = { root, base: './', configFile: false, publicDir: false, logLevel: 'warn' } as const
  await build({
    ...config,
    build: { outDir, emptyOutDir: true, target: 'es2023' },
    worker: { format: 'es' },
  })
  // As a hub lays repositories out.
  const put = (folder: string, repo: string) =>
    cpSync(join(golden, folder), join(outDir, repo, 'resolve', 'main'), { recursive: true })
  put('checkpoint', MODEL)
  for (const repo of TOWERS) put(join('towers', repo), repo)
  server = await preview({ ...config, build: { outDir }, preview: { host: '127.0.0.1', port: 0 } })
  address = server.resolvedUrls!.local[0]!
})
test.afterAll(() => server.close())

/** Loads the model with room for no tower beside another. */
const load = (page: Page) =>
  page.evaluate(
    ([repo, endpoint, template]) =>
      (globalThis as unknown as { enginePage: EnginePage }).enginePage.load(
        { kind: 'hub', repo, endpoint },
        { dtype: 'f32', template, memoryBytes: 1 },
      ),
    [MODEL, address, facts.conv_mode] as const,
  )

/** Asks a recorded question, and tells which towers were requested for it and which came from the device. */
async function ask(page: Page, turn: typeof wide, requests: string[]) {
  const { images, conversation, generated_ids } = turn!
  requests.length = 0
  const { reply, events } = await page.evaluate(
    ([id, picture, text, count]) =>
      (globalThis as unknown as { enginePage: EnginePage }).enginePage.ask(id, picture, text, count),
    [
      images[0]!,
      readFileSync(join(golden, images[0]!)).toString('base64'),
      conversation[0]!.replace('<image>\n', ''),
      ANSWER,
    ] as const,
  )
  expect(reply.tokenIds).toEqual(generated_ids.slice(0, ANSWER))
  const towers = events.filter((event) => event.type === 'tower')
  expect(new Set(towers.map(({ tower }) => tower)).size).toBe(TOWERS.length)
  return {
    requested: TOWERS.filter((repo) => requests.some((url) => url.includes(`/${repo}/`))),
    cached: [...new Set(towers.map(({ cached }) => cached))],
    notices: events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])),
  }
}

/** Names of what the browser keeps for the page. */
const files = (page: Page) =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory()
    const folder = await root.getDirectoryHandle('trilobite-models')
    const names = []
    for await (const name of folder.keys()) names.push(name)
    return names.sort()
  })

/** Leaves what another version and a crashed writer would; another writer is at work as long as the page is there. */
const litter = (page: Page, busy: string) =>
  page.evaluate(async (busy) => {
    const root = await navigator.storage.getDirectory()
    const folder = await root.getDirectoryHandle('trilobite-models', { create: true })
    for (const name of ['v0-old', 'v1-new.1.part', busy]) await folder.getFileHandle(name, { create: true })
    const script = `
      (async () => {
        const root = await navigator.storage.getDirectory()
        const folder = await root.getDirectoryHandle('trilobite-models')
        const file = await folder.getFileHandle('${busy}')
        globalThis.access = await file.createSyncAccessHandle()
        postMessage('locked')
      })()`
    const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })))
    Object.assign(globalThis, { otherWriter: worker })
    await new Promise((locked) => worker.addEventListener('message', locked))
  }, busy)

test('towers are downloaded for the first picture, and read from the device for all others', async ({
  page,
}) => {
  const requests: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(address)
  const busy = 'v1-new.2.part'
  await litter(page, busy)
  await load(page)
  expect(await ask(page, wide, requests)).toEqual({ requested: TOWERS, cached: [false], notices: [] })
  const kept = (await files(page)).filter((name) => name !== busy)
  expect(await files(page)).toContain(busy)
  expect(kept.length).toBeGreaterThanOrEqual(TOWERS.length)
  for (const name of kept) expect(name).toMatch(/^v1-[0-9a-f]{64}$/)

  const fromDevice = { requested: [], cached: [true], notices: [] }
  expect(await ask(page, tall, requests)).toEqual(fromDevice)
  await page.reload()
  await load(page)
  expect(await ask(page, wide, requests)).toEqual(fromDevice)
  expect(await files(page)).toEqual(kept)
})
