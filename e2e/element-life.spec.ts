import { call, expect, open, test, type Chat } from './support/element'
import { told } from './support/embed'

// What happens to an element while it is asked, loaded, moved and let go, in every order.

const ONE = '<trilobite-chat></trilobite-chat>'
const PICTURE = 'public/examples/night.png'
const OTHER = 'bundled/trilobite-nano-llava'

test('what a listener reads does not bring its event again', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: ONE })
  await chat.evaluate((element: Chat) => {
    for (const type of ['progress', 'ready', 'error'] as const)
      element.addEventListener(`trilobite-${type}`, () => void [element.status, element.messages.length])
    element.addEventListener('trilobite-ready', () => void element.ask('How many?'))
  })
  await call(chat, (element) => element.load())
  await expect(chat.getByTestId('message-assistant')).toHaveAttribute('data-phase', 'stop')
  await call(chat, (element) => element.ask('And now?'))
  expect(await told(page, 'ready')).toHaveLength(1)
  expect(await told(page, 'answer')).toHaveLength(2)
})

test('another model, then load or ask: the other one answers', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: ONE })
  await call(chat, (element) => element.load())
  const models = await call(chat, async (element) => {
    element.model = 'bundled/trilobite-nano-llava'
    const { model } = await element.load()
    element.model = 'a/b'
    await element.ask('How many?')
    return [model, element.modelInfo!.model, element.status]
  })
  expect(models.value).toEqual(['trilobite-nano-llava', 'a/b', 'ready'])
  const again = await call(chat, async (element) => {
    void element.unload()
    return (await element.load()).model
  })
  expect(again.value).toBe('a/b')
  expect(await chat.evaluate((element: Chat) => element.status)).toBe('ready')
  expect(page.workers()).toHaveLength(1)
})

test('a fallback for an autoload that failed is loaded, and nothing is left of the failure', async ({
  page,
  origin,
}) => {
  const chat = await open(page, origin, { body: '<trilobite-chat autoload></trilobite-chat>' }, 'load-oom')
  await expect(chat.getByTestId('banner')).toBeVisible()
  await chat.evaluate((element: Chat, model) => (element.model = model), OTHER)
  await expect.poll(async () => (await told(page, 'error')).length).toBe(2)
  await chat.evaluate((element: Chat) => {
    element.autoload = false
    element.model = 'a/b'
  })
  await expect(chat.getByTestId('banner')).toHaveCount(0)
  await expect(chat.getByTestId('consent')).toContainText('a/b')
})

for (const pause of [0, 1, 20]) {
  test(`put back ${pause} ms after it was taken out in an answer, it loads again`, async ({
    page,
    origin,
  }) => {
    const chat = await open(page, origin, { body: ONE })
    await call(chat, (element) => element.load())
    await chat.evaluate(async (element: Chat, wait) => {
      void element.ask('a long story').catch(() => {})
      await new Promise((resolve) => element.addEventListener('trilobite-token', resolve, { once: true }))
      const { parentNode } = element
      element.remove()
      await new Promise((resolve) => setTimeout(resolve, wait))
      parentNode!.append(element)
    }, pause)
    await expect(chat.getByTestId('message-assistant')).not.toHaveAttribute('aria-busy', 'true')
    await expect(chat.getByTestId('engine-ready')).toBeVisible()
    await call(chat, (element) => element.ask('How many?'))
    await expect(chat.getByTestId('message-assistant')).toHaveCount(2)
  })
}

test('taken out, it loads nothing for what was asked before', async ({ page, origin }) => {
  let answer = () => {}
  const held = new Promise<void>((resolve) => (answer = resolve))
  await page.route('**/slow.png', async (route) => {
    await held
    await route.fulfill({ path: PICTURE })
  })
  const chat = await open(page, origin, { body: '<trilobite-chat images="/slow.png"></trilobite-chat>' })
  await chat.getByTestId('composer').fill('What is this?')
  await chat.getByTestId('composer').press('Enter')
  await expect(chat.getByTestId('engine-ready')).toBeVisible()
  const outcomes = chat.evaluate(async (element: Chat) => {
    const asked = [element.ask('one', { images: ['/slow.png'] }), element.ask('two')]
    element.remove()
    Object.assign(window, { element })
    const ended = await Promise.allSettled(asked)
    return ended.map((one) => (one.status === 'rejected' ? (one.reason as Error).name : one.status))
  })
  await expect.poll(() => page.workers().length).toBe(0)
  answer()
  expect(await outcomes).toEqual(['AbortError', 'AbortError'])
  const { status, messages } = await page.evaluate(async () => {
    const { element } = window as unknown as { element: Chat }
    await new Promise((resolve) => setTimeout(resolve, 300))
    return { status: element.status, messages: element.messages.length }
  })
  expect([status, messages, page.workers().length]).toEqual(['idle', 0, 0])
})

test('unloading ends what waits, too', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: ONE })
  await call(chat, (element) => element.load())
  const ended = await call(chat, async (element) => {
    const asked = [element.ask('a long story'), element.ask('another long story')]
    await new Promise((resolve) => element.addEventListener('trilobite-token', resolve, { once: true }))
    await element.unload()
    return (await Promise.allSettled(asked)).map((one) =>
      one.status === 'fulfilled' ? one.value.finish : (one.reason as Error).name,
    )
  })
  expect(ended.value).toEqual(['aborted', 'AbortError'])
  expect(await chat.evaluate((element: Chat) => element.status)).toBe('idle')
  await expect.poll(() => page.workers().length).toBe(0)
})

test('one failure is one error', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: ONE }, 'crash')
  expect(await call(chat, (element) => element.ask('Describe it'))).toMatchObject({
    error: 'WorkerCrashError',
  })
  expect((await told(page, 'error')).map(({ name }) => name)).toEqual(['WorkerCrashError'])
  // A language nobody speaks is told of once, however often it moves.
  await chat.evaluate((element: Chat) => {
    element.language = 'tlh'
    for (let i = 0; i < 3; i++) document.body.append(element)
  })
  await expect.poll(async () => (await told(page, 'error')).length).toBe(2)
  await page.waitForTimeout(50)
  expect(await told(page, 'error')).toHaveLength(2)
})

test('a browser without WebGPU is one error', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: ONE }, 'no-webgpu')
  for (let i = 1; i <= 2; i++) {
    expect(await call(chat, (element) => element.load())).toMatchObject({ error: 'UnsupportedDeviceError' })
    expect(await told(page, 'error')).toHaveLength(i)
  }
})

test('a new conversation in the middle of an answer, then a question with a picture', async ({
  page,
  origin,
}) => {
  const chat = await open(page, origin, { body: ONE })
  await call(chat, (element) => element.load())
  await chat.getByTestId('composer').fill('a long story')
  await chat.getByTestId('composer').press('Enter')
  await expect(chat.locator('.text')).toBeVisible()
  const reply = await call(chat, async (element) => {
    const canvas = new OffscreenCanvas(8, 8)
    canvas.getContext('2d')!.fillRect(0, 0, 4, 4)
    await element.clear()
    await element.ask('How many?', { images: [await canvas.convertToBlob()] })
    return element.messages.map(({ text, images }) => [text, images.length])
  })
  expect(reply.value).toEqual([
    ['How many?', 1],
    ['There are **three** shapes.', 0],
  ])
})

test('a question whose picture cannot be had leaves nothing behind', async ({ page, origin }) => {
  await page.route('**/good.png', (route) => route.fulfill({ path: PICTURE }))
  const chat = await open(page, origin, { body: ONE })
  expect(
    await call(chat, (element) => element.ask('one', { images: ['/good.png', '/bad.png'] })),
  ).toMatchObject({ error: 'NetworkError', message: expect.stringContaining('bad.png') })
  expect((await told(page, 'error')).map(({ name }) => name)).toEqual(['NetworkError'])
  // Not even a model: the picture came first.
  expect(await chat.evaluate((element: Chat) => element.status)).toBe('idle')
  await call(chat, (element) => element.ask('How many?'))
  expect(await chat.evaluate((element: Chat) => element.messages.map(({ images }) => images.length))).toEqual(
    [0, 0],
  )
})

test('the page’s pictures are its own: equal ones stay, others replace them, a visitor’s are left', async ({
  page,
  origin,
}) => {
  const fetched: string[] = []
  let answer = () => {}
  const held = new Promise<void>((resolve) => (answer = resolve))
  await page.route(/[ab]\.(png|jpg)$/, async (route) => {
    const name = new URL(route.request().url()).pathname
    fetched.push(name)
    if (name === '/a.png') await held
    await route.fulfill({ path: name === '/a.png' ? PICTURE : 'public/examples/bird.jpg' })
  })
  const chat = await open(page, origin, { body: ONE })
  await call(chat, (element) => element.load())
  await chat.evaluate((element: Chat) => {
    for (let i = 0; i < 3; i++) element.images = ['/a.png']
    element.images = ['/b.jpg']
    for (let i = 0; i < 3; i++) element.images = ['/b.jpg']
  })
  await chat.getByTestId('attach-input').setInputFiles('public/examples/digit.png')
  answer()
  await expect(chat.getByRole('button', { name: 'Enlarge b.jpg' })).toBeVisible()
  await expect(chat.getByTestId('thumbnail')).toHaveCount(2)
  expect(fetched).toEqual(['/a.png', '/b.jpg'])
  await chat.evaluate((element: Chat) => (element.images = []))
  await expect(chat.getByTestId('thumbnail')).toHaveCount(1)
  await expect(chat.getByRole('button', { name: 'Enlarge digit.png' })).toBeVisible()
})

test('flags written as text, and a hub that is none, are taken as meant', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: '<trilobite-chat autoload="false" readonly="false" hub-endpoint="hub.example.com" model="a/b"></trilobite-chat>',
  })
  await expect(chat.getByTestId('composer')).toBeVisible()
  await expect
    .poll(async () => (await told(page, 'error')).map(({ attribute }) => attribute).sort())
    .toEqual(['autoload', 'hub-endpoint', 'readonly'])
  expect(
    await chat.evaluate((element: Chat) => [element.autoload, element.readOnly, element.status]),
  ).toEqual([false, false, 'idle'])
  const flags = await chat.evaluate((element: Chat) => {
    const any = element as unknown as Record<string, unknown>
    any['readonly'] = 'false'
    const off = element.readOnly
    any['readonly'] = true
    return [off, element.readOnly]
  })
  expect(flags).toEqual([false, true])
})

test('no cursor and no scrolling for what the page does', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: `${ONE}<div style="height: 4000px"></div>` })
  await chat.getByTestId('load-button').click()
  await expect(chat.getByTestId('composer')).toBeFocused()
  await page.evaluate(() => {
    ;(document.activeElement as HTMLElement).blur()
    scrollTo(0, 3000)
  })
  await call(chat, async (element) => {
    await element.unload()
    await element.load()
  })
  await page.waitForTimeout(100)
  expect(await page.evaluate(() => [scrollY, document.activeElement!.localName])).toEqual([3000, 'body'])
})

test('keys of the page reach it from a field, and all from its own', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: `<div id="dialog"><trilobite-chat><input slot="header" id="own"></trilobite-chat></div>`,
  })
  await page.evaluate(() => {
    const heard: string[] = []
    Object.assign(window, { heard })
    document
      .querySelector('#dialog')!
      .addEventListener('keydown', (event) => heard.push((event as KeyboardEvent).key))
  })
  const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard.splice(0))
  await chat.getByTestId('composer').focus()
  for (const key of ['a', 'Shift+Enter', 'ArrowUp', 'Control+k', 'Escape', 'Tab'])
    await page.keyboard.press(key)
  expect(await heard()).toEqual(['Control', 'k', 'Escape', 'Tab'])
  await page.locator('#own').press('x')
  expect(await heard()).toEqual(['x'])
})

test('settings close when the element is moved', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: `${ONE}<footer></footer>` })
  await chat.getByTestId('open-settings').click()
  await expect(chat.getByTestId('settings')).toBeVisible()
  await chat.evaluate((element) => document.querySelector('footer')!.append(element))
  await expect(chat.getByTestId('settings')).toHaveCount(0)
  await chat.getByTestId('open-settings').click()
  await page.keyboard.press('Escape')
  await expect(chat.getByTestId('settings')).toHaveCount(0)
})

test('what the page hides stays hidden', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: `<div style="visibility: hidden">${ONE}</div>` })
  await expect(chat.locator('.element')).toBeHidden()
  await page.evaluate(() => document.querySelector('div')!.removeAttribute('style'))
  await expect(chat.locator('.element')).toBeVisible()
})

test('it may be cloned, kept in a template, and made without being shown', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: `<template>${ONE}</template>` })
  const found = await page.evaluate(async () => {
    const template = document.querySelector('template')!
    document.body.append(template.content.cloneNode(true))
    const one = document.querySelector('trilobite-chat')!
    one.setAttribute('greeting', 'Hello')
    document.body.append(one.cloneNode(true))
    template.content.append(one)
    document.body.append(one)
    const loose = document.createElement('trilobite-chat')
    await loose.load()
    const { status } = loose
    await loose.unload()
    return { count: document.querySelectorAll('trilobite-chat').length, status, after: loose.status }
  })
  expect(found).toEqual({ count: 2, status: 'ready', after: 'idle' })
  await expect(chat.first().locator('.greeting')).toHaveText('Hello')
  await expect(chat.last().locator('.greeting')).toHaveText('Hello')
  await expect.poll(() => page.workers().length).toBe(0)
})
