import { expect, test, type Page } from '@playwright/test'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { playInlineEngine } from './support/play'
import { llavaSample } from './support/samples'
import { closeServers, fileIn, serve } from './support/servers'
import { ANSWER_MS, LOAD_MS } from './support/visit'

// examples/ as its readers have it: projects that install the package from its tarball, check their types and build.

type Chat = HTMLElementTagNameMap['trilobite-chat']

const root = join(import.meta.dirname, '..')
/** Below the project, whose node_modules hold the frameworks. */
const FOLDER = join(root, 'test-results', 'examples')
const BUILT = ['react', 'vue', 'svelte', 'library']
const DRAWING = llavaSample('08')
const [describe] = DRAWING.turns

/** Files beside an example's own that its types must refuse. */
const REFUSED = {
  'react/src/refused.tsx': `
    import type {} from 'trilobite/react'
    // @ts-expect-error There is no such format.
    export const format = <trilobite-chat dtype="q5" />
    // @ts-expect-error Listeners are told of details.
    export const listener = <trilobite-chat ontrilobite-answer={({ detail }) => detail.nothing} />`,
  'vue/src/Refused.vue': `
    <script setup lang="ts">
    import type {} from 'trilobite/vue'
    </script>
    <template>
      <!-- @vue-expect-error There is no such format. -->
      <trilobite-chat dtype="q5" />
      <!-- @vue-expect-error Listeners are told of details. -->
      <trilobite-chat @trilobite-answer="$event.detail.nothing" />
    </template>`,
  'svelte/src/refused.ts': `
    import type { SvelteHTMLElements } from 'svelte/elements'
    import type {} from 'trilobite/svelte'
    type Attributes = SvelteHTMLElements['trilobite-chat']
    // @ts-expect-error There is no such format.
    export const format: Attributes = { dtype: 'q5' }
    // @ts-expect-error Listeners are told of details.
    export const listener: Attributes = { 'ontrilobite-answer': ({ detail }) => detail.nothing }`,
}

/** Runs a program in a folder. Returns: what it printed. Throws: Error that tells it, too. */
async function run(folder: string, program: string, ...args: string[]): Promise<string> {
  const running = promisify(execFile)(program, args, { cwd: folder })
  const { stdout } = await running.catch((error: Error & { stdout?: string }) => {
    throw new Error(`${program} ${args.join(' ')} in ${folder}: ${error.message}\n${error.stdout}`)
  })
  return stdout
}
const npm = (folder: string, ...args: string[]) => run(folder, 'npm', ...args)

test.beforeAll(async () => {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, 'package.json'), '{ "private": true }')
  await npm(root, 'pack', '--ignore-scripts', '--pack-destination', FOLDER)
  const tarball = readdirSync(FOLDER).find((name) => name.endsWith('.tgz'))
  await npm(FOLDER, 'install', `./${tarball}`, '--no-save', '--offline', '--no-audit', '--no-fund')
  for (const name of ['html', ...BUILT]) {
    cpSync(join(root, 'examples', name), join(FOLDER, name), {
      recursive: true,
      filter: (path) => !/[/\\](?:node_modules|dist|models)$/.test(path),
    })
  }
  for (const [path, text] of Object.entries(REFUSED)) writeFileSync(join(FOLDER, path), text)
  await Promise.all(BUILT.map((name) => npm(join(FOLDER, name), 'run', 'build')))
})
test.afterAll(closeServers)

/** Serves a built example on an origin of its own, and opens it. */
async function open(page: Page, name: string): Promise<void> {
  const origin = await serve((path) => {
    const file = fileIn(join(FOLDER, name, 'dist'), path === '/' ? 'index.html' : path)
    return path === '/' && file ? { ...file, type: 'text/html' } : file
  })
  await page.goto(`${origin}/`)
}

/** Keeps pictures of it, narrow and wide, where nothing may be wider than the page. */
async function look(page: Page, name: string): Promise<void> {
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 800 })
    await page.screenshot({ path: `test-results/screens/example-${name}-${width}.png`, fullPage: true })
    const beyond = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    await expect.poll(beyond, { message: `${name} at ${width} px` }).toBeLessThanOrEqual(0)
  }
}

const chatOf = (page: Page) => page.locator('trilobite-chat')
const state = (page: Page) => page.locator('main > [role=status]')
const answers = (page: Page) => page.locator('main > ol > li')

test('React: the picture by its address, asked by the page, answered by the engine', async ({ page }) => {
  await open(page, 'react')
  const chat = chatOf(page)
  await expect(chat.getByText('Ask about a picture')).toBeVisible()
  await expect(chat.getByTestId('consent')).toContainText('trilobite-nano-llava')
  await expect(chat.getByTestId('open-settings')).toHaveCount(0)
  await page.getByRole('button', { name: 'Describe' }).click()
  await expect(state(page)).toContainText('Ready', { timeout: LOAD_MS })
  await expect(answers(page)).toHaveText([describe!.reply], { timeout: ANSWER_MS })
  await look(page, 'react')
  await page.getByRole('button', { name: 'Clear' }).click()
  await expect(chat.getByTestId('message-assistant')).toHaveCount(0)
})

test('Vue: a file of the visitor, asked by the visitor, answered by the engine', async ({ page }) => {
  const { turns, path } = llavaSample('01')
  await open(page, 'vue')
  const chat = chatOf(page)
  await expect(chat.getByText('Ask about a picture')).toBeVisible()
  await expect(chat.getByTestId('open-settings')).toHaveCount(0)
  await page.getByLabel('Pictures', { exact: true }).setInputFiles(path)
  await chat.getByTestId('composer').fill(turns[0]!.question)
  await chat.getByTestId('composer').press('Enter')
  await expect(state(page)).toContainText('Ready', { timeout: LOAD_MS })
  await expect(answers(page)).toHaveText([turns[0]!.reply], { timeout: ANSWER_MS })
  await expect(chat.getByTestId('message-user').locator('img')).toHaveCount(1)
  await look(page, 'vue')
})

test('Svelte: what the app sets reaches the element, what happens reaches the app', async ({ page }) => {
  await playInlineEngine(page)
  await open(page, 'svelte')
  const chat = chatOf(page)
  await expect(chat.getByText('Ask about a picture')).toBeVisible()
  await expect(chat.getByTestId('open-settings')).toHaveCount(0)
  await expect(chat.locator('.element')).toHaveAttribute('data-theme', 'light')
  await page.getByLabel('System prompt').fill('Be brief.')
  expect(await chat.evaluate((element: Chat) => element.systemPrompt)).toBe('Be brief.')

  await page.getByRole('button', { name: 'Describe' }).click()
  await expect(state(page)).toHaveText('Ready: trilobite-nano-llava')
  await expect(answers(page)).toHaveCount(1)
  await expect(chat.getByTestId('message-user').locator('img')).toHaveCount(1)
  await chat.getByTestId('composer').fill('A long one.')
  await chat.getByTestId('composer').press('Enter')
  await expect(chat.getByTestId('message-assistant').last().locator('.text')).toBeVisible()
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await expect(chat.getByTestId('message-assistant').last()).toHaveAttribute('data-phase', 'aborted')
  await expect(answers(page)).toHaveCount(2)
  await look(page, 'svelte')

  await page.getByLabel('Model').selectOption('llava-hf/llava-interleave-qwen-0.5b-hf')
  await expect(chat.getByTestId('consent')).toContainText('llava-interleave-qwen-0.5b-hf')
  await page.getByRole('button', { name: 'Clear' }).click()
  await expect(chat.getByTestId('message-assistant')).toHaveCount(0)
})

test('plain HTML: slots, parts, colours and events', async ({ page }) => {
  await playInlineEngine(page)
  // As any web server has the folder with what npm installed in it.
  const origin = await serve((path) => {
    if (path === '/') return { ...fileIn(join(FOLDER, 'html'), 'index.html')!, type: 'text/html' }
    return fileIn(join(FOLDER, 'html'), path) ?? fileIn(FOLDER, path)
  })
  await page.goto(`${origin}/`)
  const chat = chatOf(page)
  await expect(chat.getByText('Ask the drawing')).toBeVisible()
  await expect(chat.getByText('Starting it fetches 9 MB')).toBeVisible()
  await expect(chat.getByRole('heading', { name: 'What do you see?' })).toBeVisible()
  await expect(chat.locator('[part~=send]')).toHaveCSS('border-radius', '50%')
  await expect(chat.locator('[part~=start]')).toHaveCSS('background-color', 'rgb(107, 47, 160)')
  await page.getByRole('button', { name: 'Describe' }).click()
  await expect(page.locator('#state')).toHaveText('Ready: trilobite-nano-llava')
  await expect(page.locator('#answers > li')).toContainText('two shapes')
  await expect(chat.getByTestId('message-user').locator('img')).toHaveCount(1)
  await look(page, 'html')
  await page.getByLabel('Theme').selectOption('dark')
  await expect(chat.locator('.element')).toHaveAttribute('data-theme', 'dark')
  await page.getByRole('button', { name: 'Clear' }).click()
  await expect(chat.getByTestId('message-assistant')).toHaveCount(0)
})

test('library: asks, stops, draws where the model looked, trains a connector', async ({ page }) => {
  await open(page, 'library')
  await page.getByLabel('Picture', { exact: true }).setInputFiles(DRAWING.path)
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
  const words = page.locator('#answer button')
  await expect(words).toHaveText(describe!.reply.split(' '), { timeout: LOAD_MS })

  await words.getByText('star').click()
  const canvas = page.locator('#overlay')
  await expect(canvas).not.toHaveAttribute('width', '0', { timeout: ANSWER_MS })
  const drawn = await canvas.evaluate(async (overlay: HTMLCanvasElement) => {
    const picture = document.querySelector<HTMLInputElement>('#picture')!.files![0]!
    const plain = new OffscreenCanvas(overlay.width, overlay.height).getContext('2d')!
    plain.drawImage(await createImageBitmap(picture), 0, 0)
    const { data: before } = plain.getImageData(0, 0, overlay.width, overlay.height)
    const { data } = overlay.getContext('2d')!.getImageData(0, 0, overlay.width, overlay.height)
    const left = [0, 0]
    for (let i = 0; i < data.length; i += 4)
      left[((i / 4) % overlay.width) * 2 < overlay.width ? 0 : 1]! += data[i]! - before[i]!
    return left
  })
  // The star is at the left.
  expect(drawn[0]).toBeGreaterThan(drawn[1]!)

  // As soon as it says something.
  await page.evaluate(() => {
    const answer = document.querySelector('#answer')!
    new MutationObserver((_, observer) => {
      if (!answer.textContent || answer.children.length) return
      observer.disconnect()
      document.querySelector<HTMLElement>('#stop')!.click()
    }).observe(answer, { childList: true, characterData: true, subtree: true })
  })
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
  await expect(page.locator('#state')).toHaveText('Stopped.', { timeout: ANSWER_MS })
  expect(await words.count()).toBeLessThan(describe!.reply.split(' ').length)

  await page.getByLabel('Picture/caption pairs').setInputFiles(join(root, 'public/samples/stage-1.zip'))
  await page.getByLabel('Steps').fill('3')
  await page.getByRole('button', { name: 'Train' }).click()
  await expect(page.locator('#files > li')).not.toHaveCount(0, { timeout: LOAD_MS })
  const losses = (await page.locator('#losses > li').allInnerTexts()).map((text) =>
    Number(text.split(' ').at(-1)),
  )
  expect(losses).toHaveLength(3)
  expect(losses.every(Number.isFinite)).toBe(true)
  expect(losses[2]).toBeLessThan(losses[0]!)
  await expect(page.locator('#files')).toContainText('.safetensors')
  await look(page, 'library')
})

test('on a server the element can be imported, and defines nothing', async () => {
  const script = "import('trilobite/element').then((module) => console.log(Object.keys(module).join()))"
  expect(await run(FOLDER, process.execPath, '-e', script)).toBe('TrilobiteChat,TrilobiteChatError\n')
})
