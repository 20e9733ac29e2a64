import { expect, test, type Page } from '@playwright/test'
import { readFileSync } from 'node:fs'
import {
  countGpuBytes,
  recordEvents,
  recordRequests,
  servePackage,
  servePage,
  strictCsp,
  told,
} from './support/embed'
import { llavaSample } from './support/samples'
import { closeServers } from './support/servers'
import { LOAD_MS } from './support/visit'

// The element on the real engine, as a page of another origin has it.

const { turns, path: picture } = llavaSample('01')
const [first, second] = turns
const MODEL = 'bundled/trilobite-nano-llava'

let origin: string
test.beforeAll(async () => {
  origin = await servePackage()
})
test.afterAll(closeServers)

const script = () => `<script type="module" src="${origin}/element/trilobite-chat.js"></script>`
const status = (page: Page, id = 'chat') =>
  page.locator(`#${id}`).evaluate((chat: HTMLElementTagNameMap['trilobite-chat']) => chat.status)

test('under a strict policy, on another origin, nothing is fetched before consent and nothing but the model after', async ({
  page,
}) => {
  await recordEvents(page)
  const requests = recordRequests(page)
  const url = await servePage({
    csp: strictCsp(origin),
    body: `<trilobite-chat id="chat" model="${MODEL}"></trilobite-chat>${script()}`,
  })
  await page.goto(url)
  const chat = page.locator('#chat')
  await expect(chat.getByTestId('consent')).toContainText('9.3 MB')
  expect(requests).toEqual([url, `${origin}/element/trilobite-chat.js`])
  expect(page.workers()).toEqual([])
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false)

  await chat.getByTestId('attach-input').setInputFiles(picture)
  await chat.getByTestId('composer').fill(first!.question)
  // Asking without a word about loading is first use: it loads, then answers.
  await chat.getByTestId('composer').press('Enter')
  await expect(chat.getByTestId('message-assistant')).toHaveAttribute('data-phase', 'stop', {
    timeout: LOAD_MS,
  })
  await expect(chat.locator('.text')).toHaveText(first!.reply)
  const [ready] = await told(page, 'ready')
  expect(ready).toMatchObject({ architecture: expect.stringContaining('llava'), acceptsImages: true })
  const [answer] = await told(page, 'answer')
  expect(answer!.reply.tokenIds).toEqual(first!.generated_ids)
  const tokens = await told(page, 'token')
  expect(tokens.map(({ text }) => text).join('')).toBe(answer!.text)
  expect(tokens.every(({ id }) => id === answer!.id)).toBe(true)
  expect((await told(page, 'progress')).map(({ phase }) => phase)).toEqual(
    expect.arrayContaining(['weights', 'compile']),
  )
  expect(await told(page, 'error')).toEqual([])

  // The page's own call goes on with the same conversation.
  const reply = await chat.evaluate(
    (element: HTMLElementTagNameMap['trilobite-chat'], question) => element.ask(question),
    second!.question,
  )
  expect(reply.tokenIds).toEqual(second!.generated_ids)
  expect(reply.reusedTokens).toBeGreaterThan(0)

  expect(await page.evaluate(() => window.violations)).toEqual([])
  const others = requests
    .slice(2)
    .filter((address) => !address.startsWith(`${origin}/models/trilobite-nano-llava/`))
  expect(others).toEqual([])
})

test('in a sandboxed frame of another origin the GPU and the model are within reach', async ({ page }) => {
  await recordEvents(page)
  const framed = await servePage({
    csp: strictCsp(origin),
    body: `<trilobite-chat model="${MODEL}"></trilobite-chat>${script()}`,
  })
  await page.goto(
    await servePage({
      csp: `default-src 'none'; frame-src ${framed}`,
      body: `<iframe src="${framed}" allow="clipboard-write" sandbox="allow-scripts allow-same-origin" width="500" height="600"></iframe>`,
    }),
  )
  const frame = page.frameLocator('iframe')
  // The plan asks the GPU what it can hold, and the model's host what the model is.
  await frame.getByTestId('choose').click()
  await expect(frame.getByTestId('plan')).toContainText('llava', { timeout: LOAD_MS })
  expect(await page.frames()[1]!.evaluate(() => window.violations)).toEqual([])
})

test('two elements share one engine; moving loses nothing; the last one removed frees the GPU', async ({
  page,
}) => {
  await countGpuBytes(page)
  const ranges: string[] = []
  page.on('request', (request) => {
    if (request.url().endsWith('.safetensors'))
      ranges.push(`${request.method()} ${request.url()} ${request.headers()['range']}`)
  })
  const element = (id: string, rest = '') =>
    `<trilobite-chat id="${id}" model="${MODEL}" ${rest}></trilobite-chat>`
  await page.goto(
    await servePage({ body: `<main>${element('one')}${element('two')}</main><aside></aside>${script()}` }),
  )
  const bytes = [...readFileSync(picture)]
  const asked = await page.evaluate(
    async ([data, question]) => {
      const [one, two] = [...document.querySelectorAll('trilobite-chat')]
      const image = new Blob([new Uint8Array(data)], { type: 'image/png' })
      // Both at once: one load serves both, and their answers wait for each other.
      const replies = await Promise.all([one!, two!].map((chat) => chat.ask(question, { images: [image] })))
      return replies.map(({ tokenIds }) => tokenIds)
    },
    [bytes, first!.question] as const,
  )
  expect(asked).toEqual([first!.generated_ids, first!.generated_ids])
  expect(page.workers()).toHaveLength(1)
  // One copy of the weights: no range is asked for twice.
  expect(new Set(ranges).size).toBe(ranges.length)
  expect(ranges.length).toBeGreaterThan(0)

  // Moved in the middle of an answer, by the old way and the new.
  const moved = await page.evaluate(async (question) => {
    const one = document.querySelector<HTMLElementTagNameMap['trilobite-chat']>('#one')!
    const answer = one.ask(question)
    await new Promise((resolve) => one.addEventListener('trilobite-token', resolve, { once: true }))
    document.querySelector('aside')!.append(one)
    document.querySelector('main')!.prepend(one)
    const { tokenIds } = await answer
    await new Promise((resolve) => setTimeout(resolve, 50))
    return { tokenIds, status: one.status, messages: one.messages.length }
  }, second!.question)
  expect(moved).toEqual({ tokenIds: second!.generated_ids, status: 'ready', messages: 4 })
  await expect(page.locator('#one').getByTestId('message-assistant')).toHaveCount(2)

  // One goes: the other's model stays.
  await page.locator('#one').evaluate((chat) => chat.remove())
  expect(await status(page, 'two')).toBe('ready')
  expect(page.workers()).toHaveLength(1)
  const held = await page.evaluate(() => window.gpuBytes())
  expect(held.now).toBeGreaterThan(9e6)
  await page.locator('#two').evaluate((chat) => chat.remove())
  await expect.poll(() => page.evaluate(() => window.gpuBytes().now)).toBe(0)
  await expect.poll(() => page.workers().length).toBe(0)
})
