import { chromium, type Browser, type Page } from '@playwright/test'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from './support/fixtures'
import { openHub, type Hub } from './support/local-hub'
import { look } from './support/look'
import { playEngine } from './support/play'
import { LOAD_MS } from './support/visit'

const MODEL = join(import.meta.dirname, '..', 'public', 'models', 'trilobite-nano-llava')
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
const SIZES = SHARDS.map((path) => statSync(join(MODEL, path)).size)
/** Read of each file for its header. */
const HEAD_BYTES = 128 * 1024

test('models on this device are listed, verified and removed', async ({ visit }) => {
  const { page } = visit
  await playEngine(page, 'stored')
  await visit.open()
  await visit.part('screen-models').click()
  const model = visit.part('stored-model')
  await expect(model).toHaveCount(3)
  await expect(model.last()).toContainText('3.2 GB of 16.8 GB')
  await model.nth(0).getByTestId('stored-verify').click()
  await expect(model.nth(0)).toContainText('Every file is as its origin states.')
  await model.nth(1).getByTestId('stored-verify').click()
  await expect(model.nth(1)).toContainText('Damaged and removed')
  await model.nth(2).getByTestId('stored-remove').click()
  await visit.part('stored-models').scrollIntoViewIfNeeded()
  await look(visit, 'stored-models')
  await visit.part('stored-models').screenshot({ path: 'test-results/screens/stored-models-list.png' })
  await page.keyboard.press('Enter')
  await expect(model).toHaveCount(3)
  await model.nth(2).getByTestId('stored-remove').click()
  await visit.part('stored-confirm').click()
  await expect(model).toHaveCount(2)
})

/** A browser with a profile of its own, which can be killed. */
async function startBrowser(
  profile: string,
  port: number,
): Promise<{ browser: Browser; child: ChildProcess }> {
  const { executablePath, args } = test.info().project.use.launchOptions!
  const child = spawn(
    executablePath!,
    [
      ...args!,
      '--headless=new',
      '--no-sandbox',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--user-data-dir=${profile}`,
      `--remote-debugging-port=${port}`,
      'about:blank',
    ],
    { stdio: 'ignore', detached: true },
  )
  const endpoint = `http://127.0.0.1:${port}`
  await expect
    .poll(
      () =>
        fetch(`${endpoint}/json/version`).then(
          ({ ok }) => ok,
          () => false,
        ),
      { timeout: LOAD_MS },
    )
    .toBe(true)
  return { browser: await chromium.connectOverCDP(endpoint), child }
}

/** Kills a browser and all its processes as a machine that loses its power would. */
async function kill({ child }: { child: ChildProcess }): Promise<void> {
  process.kill(-child.pid!, 'SIGKILL')
  await once(child, 'exit')
}

/** Opens the page with the hub's model chosen, as a visitor left it. */
async function openWith(hub: Hub, browser: Browser): Promise<Page> {
  const page = await browser.contexts()[0]!.newPage()
  page.setDefaultTimeout(LOAD_MS)
  const choice = { kind: 'hub', repo: 'owner/name' }
  await page.addInitScript(
    (saved) => localStorage.setItem('trilobite.model', saved),
    JSON.stringify({ choice, dtype: 'auto', endpoint: hub.origin }),
  )
  await page.goto(test.info().project.use.baseURL!)
  await page.getByTestId('screen-models').click()
  await expect(page.getByTestId('plan')).toBeVisible({ timeout: LOAD_MS })
  return page
}

/** Of all files that the page's engine keeps. */
const storedBytes = (page: Page) =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory()
    const folder = await root.getDirectoryHandle('trilobite-models', { create: true })
    let bytes = 0
    for await (const handle of folder.values()) {
      if (handle.kind === 'file') bytes += (await handle.getFile()).size
    }
    return bytes
  })

const untilReady = (page: Page) => expect(page.getByTestId('engine-ready')).toBeVisible({ timeout: LOAD_MS })

test('a download goes on where it was when the browser was killed, and then comes from this device', async () => {
  const hub = await openHub(MODEL)
  const profile = test.info().outputPath('profile')
  const port = 20_000 + Math.floor(20_000 * Math.random())
  hub.isStuck = true
  const first = await startBrowser(profile, port)
  try {
    const page = await openWith(hub, first.browser)
    await page.getByTestId('load-button').click()
    const half = SIZES.reduce((sum, bytes) => sum + (bytes >> 1), 0)
    await expect.poll(() => storedBytes(page), { timeout: LOAD_MS }).toBeGreaterThanOrEqual(half)
  } finally {
    await kill(first)
  }

  hub.isStuck = false
  hub.sent.length = 0
  const second = await startBrowser(profile, port + 1)
  try {
    const page = await openWith(hub, second.browser)
    await page.getByTestId('load-button').click()
    await untilReady(page)
    for (const [i, path] of SHARDS.entries()) {
      const bytes = hub.sent.filter((sent) => sent.path === path).reduce((sum, sent) => sum + sent.bytes, 0)
      // For the plan and for the load.
      expect(bytes, path).toBeLessThanOrEqual(Math.ceil(SIZES[i]! / 2) + 2 * HEAD_BYTES)
    }
    hub.sent.length = 0
    await page.reload()
    await page.getByTestId('screen-models').click()
    await expect(page.getByTestId('stored-model')).toContainText('owner/name@main')
    await page.getByTestId('load-button').click()
    await untilReady(page)
    // Headers alone are read again, for the plan and for the load.
    for (const { bytes } of hub.sent) expect(bytes).toBeLessThanOrEqual(HEAD_BYTES)
  } finally {
    await kill(second)
    await hub.close()
  }
})
