import AxeBuilder from '@axe-core/playwright'
import type { Locator, Page } from '@playwright/test'
import { mkdirSync } from 'node:fs'
import { call, expect, open, test, type Chat } from './support/element'
import { recordEvents, servePage, told } from './support/embed'
import { llavaSample } from './support/samples'

// Every state of the element on a played engine: what pages set, what visitors see.

/** Parts of an element that are wider than their place. */
const spills = (chat: Element) =>
  [
    ...chat.shadowRoot!.querySelectorAll<HTMLElement>(
      '.pane, .pane > header, .screen, .scroller, .consent, .composer',
    ),
  ].flatMap((part) =>
    part.scrollWidth > part.clientWidth + 1 ? [`${part.className} ${part.scrollWidth}`] : [],
  )

const WIDTHS = [280, 320, 1280]
const SHOTS = 'test-results/looks/element'
mkdirSync(SHOTS, { recursive: true })

/** Looks at a state at every width, light and dark: nothing is cut off, axe finds nothing, a picture is kept. */
async function look(page: Page, name: string): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width: width + 40, height: 640 })
    // Between the narrowest and the widest both are looked at; axe measures colours.
    for (const colorScheme of width === 320 ? (['dark', 'light'] as const) : (['light'] as const)) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.screenshot({ path: `${SHOTS}/${name}-${width}-${colorScheme}.png` })
      if (width !== 320) continue
      const { violations } = await new AxeBuilder({ page }).include('trilobite-chat').analyze()
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)
      expect(found, `${name} ${width} ${colorScheme}`).toEqual([])
    }
    const cut = await page.locator('trilobite-chat').first().evaluate(spills)
    expect(cut, `${name} at ${width} px`).toEqual([])
  }
}

const box = '<style>body{margin:20px} trilobite-chat{height:600px}</style><main>'

test('before consent, while loading, chatting', async ({ page, origin }) => {
  const chat = await open(
    page,
    origin,
    {
      body: `${box}<h1>A shop</h1><trilobite-chat model="llava-hf/llava-interleave-qwen-0.5b-hf"></trilobite-chat></main>`,
    },
    'slow-load',
  )
  await look(page, 'consent')
  await chat.getByTestId('load-button').click()
  await expect(chat.getByTestId('load-progress')).toContainText('File 1 of 2')
  await look(page, 'loading')
  await chat.getByTestId('cancel-load').click()
  await expect(chat.getByTestId('consent')).toBeVisible()
})

test('a chat, its settings, its models', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: `${box}<h1>A shop</h1><trilobite-chat></trilobite-chat></main>`,
  })
  await chat.getByTestId('load-button').click()
  await expect(chat.getByTestId('engine-ready')).toBeVisible()
  await chat.getByTestId('attach-input').setInputFiles(llavaSample('08').path)
  await chat.getByTestId('composer').fill('Describe the picture')
  await chat.getByTestId('composer').press('Enter')
  await expect(chat.getByTestId('message-assistant')).toHaveAttribute('data-phase', 'stop')
  await look(page, 'chat')
  await chat.getByTestId('look').click()
  await look(page, 'look')
  await chat.getByTestId('open-settings').click()
  await look(page, 'settings')
  await page.keyboard.press('Escape')
  await chat.getByTestId('model-name').click()
  await expect(chat.getByTestId('plan')).toBeVisible()
  await look(page, 'models')
  await chat.getByTestId('back').click()
  await expect(chat.getByTestId('composer')).toBeVisible()
})

test('slots, parts and custom properties let a page have it its own way', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    head: `<style>
      html { font-size: 10px; text-transform: uppercase; letter-spacing: 3px }
      * { color: rgb(1, 2, 3) }
      trilobite-chat { height: 400px; --trilobite-accent: rgb(200, 0, 100); --trilobite-radius: 0 }
      trilobite-chat::part(start) { border-radius: 20px }
      trilobite-chat::part(input) { font-style: italic }
    </style>`,
    body: `<trilobite-chat model="bundled" greeting="Our lamps&#10;in your room">
      <b slot="header">Lamps</b><p slot="consent" id="terms">By starting you agree to our terms.</p>
    </trilobite-chat><trilobite-chat><i slot="empty">Nothing asked yet</i></trilobite-chat>`,
  })
  const [own, plain] = [chat.first(), chat.last()]
  await expect(own.getByText('Lamps', { exact: true })).toBeVisible()
  await expect(own.locator('.brand')).toBeHidden()
  await expect(own.locator('#terms')).toBeVisible()
  await expect(own.locator('.greeting')).toHaveText(/Our lamps\s+in your room/)
  await expect(plain.getByText('Nothing asked yet')).toBeVisible()
  await expect(plain.locator('.greeting')).toBeHidden()

  const css = (locator: Locator, property: string) =>
    locator.evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property)
  const start = own.getByTestId('load-button')
  expect(await css(start, 'background-color')).toBe('rgb(200, 0, 100)')
  expect(await css(start, 'border-radius')).toBe('20px')
  expect(await css(own.getByTestId('composer'), 'font-style')).toBe('italic')
  expect(await css(own.locator('.element'), 'border-radius')).toBe('0px')
  // What the page gives its own text stays outside, and so does the size of its root.
  expect(await css(start, 'text-transform')).toBe('none')
  expect(await css(start, 'letter-spacing')).toBe('normal')
  expect(await css(start, 'font-size')).toBe('16px')
  expect(await css(own, 'height')).toBe('400px')
  expect(await css(plain.getByTestId('load-button'), 'min-height')).toBe('40px')
  // Nothing of the element's is outside its shadow root.
  expect(await page.locator('head style').count()).toBe(1)
})

test('an element in a box of fixed height fits into it', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: '<div style="width: 280px; height: 260px"><trilobite-chat></trilobite-chat></div>',
  })
  expect(await chat.boundingBox()).toMatchObject({ width: 280, height: 260 })
  await call(chat, (element) => element.ask('Describe it'))
  await expect(chat.getByTestId('composer')).toBeInViewport()
  expect(await chat.boundingBox()).toMatchObject({ width: 280, height: 260 })
})

test('values it does not know are told, and the default taken', async ({ page, origin }) => {
  const warnings: string[] = []
  page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()))
  const chat = await open(page, origin, {
    body: `<trilobite-chat id="wrong" model="lava" dtype="q5" theme="purple" language="tlh" hide="everything"
      context-length="many" models-url="http://"></trilobite-chat>`,
  })
  const attributes = ['model', 'dtype', 'theme', 'language', 'hide', 'context-length', 'models-url']
  await expect
    .poll(async () => (await told(page, 'error')).map(({ attribute }) => attribute).sort())
    .toEqual([...attributes].sort())
  const errors = await told(page, 'error')
  for (const { name, attribute, allowed, message } of errors) {
    expect(name).toBe('AttributeError')
    expect(allowed!.length, attribute).toBeGreaterThan(0)
    for (const value of allowed!) expect(message).toContain(value)
    expect(warnings).toContain(message)
  }
  await expect(chat.getByTestId('consent')).toContainText('trilobite-nano-cambrian')
  expect(await call(chat, (element) => element.ask('How many?').then(({ text }) => text))).toEqual({
    value: 'There are **three** shapes.',
  })
  // Set right afterwards, it is right.
  await chat.evaluate((element: Chat) => {
    element.theme = 'dark'
    element.language = 'de-AT'
  })
  await expect(chat.locator('.element')).toHaveAttribute('data-theme', 'dark')
  await expect(chat.locator('.element')).toHaveAttribute('lang', 'de')
})

test('it speaks the language of the text around it, or the one it is given, or the page’s own words', async ({
  page,
  origin,
}) => {
  const chat = await open(page, origin, {
    body: `<style>trilobite-chat { width: 280px; height: 480px }</style>
      <article lang="fr-CA"><trilobite-chat id="near"></trilobite-chat></article>
      <trilobite-chat id="own" language="de"></trilobite-chat>`,
  })
  const [near, own] = [chat.first(), chat.last()]
  await expect(near.getByTestId('load-button')).toHaveText('Démarrer')
  await expect(own.getByTestId('load-button')).toHaveText('Starten')
  await expect(own.locator('.element')).toHaveAttribute('lang', 'de')
  await own.evaluate((element: Chat) => {
    element.texts = { element: { start: 'Los geht’s' }, composer: { askAboutPicture: 42 } as never }
  })
  await expect(own.getByTestId('load-button')).toHaveText('Los geht’s')
  await call(own, (element) => element.ask('Describe it'))
  await expect(own.getByRole('button', { name: 'Antwort kopieren' })).toBeVisible()
  for (const language of ['de', 'es', 'zh', 'fr']) {
    await chat.evaluateAll((all, to) => all.forEach((element) => ((element as Chat).language = to)), language)
    await expect(own.locator('.element')).toHaveAttribute('lang', language)
    await page.screenshot({ path: `${SHOTS}/language-${language}.png` })
    expect(await own.evaluate(spills), language).toEqual([])
  }
})

test('events cross shadow roots, and bubble', async ({ page, origin }) => {
  await open(page, origin, {
    body: `<div id="outer"></div><script>
      const inner = document.querySelector('#outer').attachShadow({ mode: 'open' })
      inner.innerHTML = '<section><trilobite-chat></trilobite-chat></section>'
      window.inner = inner.querySelector('trilobite-chat')
    </script>`,
  })
  const types = await page.evaluate(async () => {
    const { inner } = window as unknown as { inner: HTMLElementTagNameMap['trilobite-chat'] }
    const seen = new Set<string>()
    for (const name of ['progress', 'ready', 'token', 'answer'])
      document.body.addEventListener(`trilobite-${name}`, (event) => {
        if (event.bubbles && event.composed && (event.target as Element).id === 'outer') seen.add(name)
      })
    await inner.ask('How many?')
    return [...seen]
  })
  expect(types.sort()).toEqual(['answer', 'progress', 'ready', 'token'])
})

test('a page may hide parts, and ask alone', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: '<trilobite-chat hide="picker settings upload"></trilobite-chat>',
  })
  for (const part of ['choose', 'open-settings', 'attach', 'attach-input'])
    await expect(chat.getByTestId(part)).toHaveCount(0)
  await expect(chat.getByTestId('composer')).toBeVisible()
  await chat.evaluate((element: Chat) => {
    element.hide = ['picker']
    element.readOnly = true
  })
  await expect(chat.getByTestId('composer')).toHaveCount(0)
  await expect(chat.getByTestId('consent')).toHaveCount(0)
  await expect(chat.getByTestId('open-settings')).toBeVisible()
  await call(chat, (element) => element.ask('Describe it'))
  await expect(chat.getByTestId('message-assistant')).toContainText('two shapes')
  for (const part of ['regenerate', 'edit', 'new-chat']) await expect(chat.getByTestId(part)).toHaveCount(0)
  await chat.evaluate((element: Chat) => (element.readOnly = false))
  await expect(chat.getByTestId('composer')).toBeVisible()
  await call(chat, (element) => element.clear())
  expect(await chat.evaluate((element: Chat) => element.messages)).toEqual([])
})

test('the page keeps the focus and its own keys', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: '<input id="search"><trilobite-chat autoload></trilobite-chat>',
  })
  await page.evaluate(() => {
    const typed: string[] = []
    Object.assign(window, { typed })
    addEventListener('keydown', ({ key }) => typed.push(key))
  })
  await page.locator('#search').focus()
  await expect(chat.getByTestId('engine-ready')).toBeVisible()
  await expect(page.locator('#search')).toBeFocused()
  expect(await page.evaluate(() => document.activeElement!.id)).toBe('search')

  await chat.evaluate((element: Chat) => element.focus())
  await page.keyboard.type('s/?')
  await expect(chat.getByTestId('composer')).toHaveValue('s/?')
  expect(await page.evaluate(() => (window as unknown as { typed: string[] }).typed)).toEqual([])

  await chat.getByTestId('composer').fill('Describe it')
  await page.keyboard.press('Enter')
  await expect(chat.getByTestId('message-assistant')).toHaveAttribute('data-phase', 'stop')
  await expect(chat.getByTestId('composer')).toBeFocused()
  await chat.getByTestId('open-settings').focus()
  await page.keyboard.press('Escape')
  expect(await page.evaluate(() => (window as unknown as { typed: string[] }).typed)).toEqual(['Escape'])
})

test('pictures by address and by file, which are fetched with the model and not before', async ({
  page,
  origin,
}) => {
  const requests: string[] = []
  page.on('request', (request) => requests.push(new URL(request.url()).pathname))
  const picture = `${origin}/models/../app/examples/bird.jpg`
  const chat = await open(page, origin, {
    body: `<trilobite-chat images="${picture} ${origin}/none.png"></trilobite-chat>`,
  })
  expect(requests.some((path) => /bird|none/.test(path))).toBe(false)
  await chat.getByTestId('load-button').click()
  await expect(chat.getByTestId('engine-ready')).toBeVisible()
  await expect(chat.getByTestId('thumbnail')).toHaveCount(1)
  await expect(chat.getByTestId('composer-notice')).toContainText(
    'none.png: expected a picture, but status 404',
  )
  expect((await told(page, 'error')).map(({ name }) => name)).toEqual(['NetworkError'])

  const file = await call(chat, async (element) => {
    const canvas = new OffscreenCanvas(8, 8)
    canvas.getContext('2d')!.fillRect(0, 0, 4, 4)
    await element.addImage(await canvas.convertToBlob())
    element.images = []
  })
  expect(file).toEqual({ value: undefined })
  // Those of the page went; the one added stays.
  await expect(chat.getByTestId('thumbnail')).toHaveCount(1)
  expect(await call(chat, (element) => element.addImage(new Blob(['no picture'])))).toMatchObject({
    message: expect.stringContaining('is not a PNG, JPEG, WebP or GIF picture'),
  })
  await call(chat, (element) => element.ask('Describe it'))
  expect(await chat.evaluate((element: Chat) => element.messages.map(({ images }) => images.length))).toEqual(
    [1, 0],
  )
  await expect(chat.locator('[part~=composer]').getByTestId('thumbnail')).toHaveCount(0)
})

test('what fails is shown, told and rejected, and the next attempt works', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: '<trilobite-chat></trilobite-chat>' }, 'load-oom')
  expect(await call(chat, (element) => element.load())).toMatchObject({ error: 'OutOfMemoryError' })
  await expect(chat.getByTestId('banner')).toContainText('The GPU ran out of memory.')
  await expect(chat.getByTestId('remedy-choose-model')).toBeVisible()
  expect(await told(page, 'error')).toMatchObject([
    { name: 'OutOfMemoryError', title: 'The GPU ran out of memory.' },
  ])
  await chat.evaluate((element: Chat) => (element.hide = 'picker'))
  await expect(chat.getByTestId('remedy-choose-model')).toHaveCount(0)
  expect(await chat.evaluate((element: Chat) => element.status)).toBe('idle')
})

test('a lost GPU comes back by load', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: '<trilobite-chat></trilobite-chat>' }, 'lose')
  expect(await call(chat, (element) => element.ask('Describe it'))).toMatchObject({
    error: 'DeviceLostError',
  })
  expect(await chat.evaluate((element: Chat) => element.status)).toBe('lost')
  expect(await call(chat, (element) => element.load().then(({ model }) => model))).toEqual({
    value: 'trilobite-nano-cambrian',
  })
  await expect(chat.getByTestId('banner')).toHaveCount(0)
})

test('a browser without WebGPU', async ({ page, origin }) => {
  const chat = await open(
    page,
    origin,
    { body: `${box}<h1>A shop</h1><trilobite-chat></trilobite-chat></main>` },
    'no-webgpu',
  )
  await chat.getByTestId('load-button').click()
  await expect(chat.getByTestId('banner')).toBeVisible()
  expect(await call(chat, (element) => element.load())).toMatchObject({ error: 'UnsupportedDeviceError' })
  expect(await chat.evaluate((element: Chat) => element.status)).toBe('unfit')
  await expect(chat.getByTestId('remedy-reload-page')).toHaveCount(0)
  await look(page, 'unfit')
})

test('taken out, it frees its engine; put back, it has its chat and its model again', async ({
  page,
  origin,
}) => {
  const chat = await open(page, origin, { body: '<trilobite-chat></trilobite-chat><footer></footer>' })
  await call(chat, (element) => element.ask('How many?'))
  expect(page.workers()).toHaveLength(1)
  await page.evaluate(() => {
    const chat = document.querySelector('trilobite-chat')!
    chat.remove()
    Object.assign(window, { chat })
  })
  await expect.poll(() => page.workers().length).toBe(0)
  await page.evaluate(() => {
    document.querySelector('footer')!.append((window as unknown as { chat: Element }).chat)
  })
  await expect(chat.getByTestId('engine-ready')).toBeVisible()
  await expect(chat.getByTestId('message-assistant')).toContainText('three shapes')
  expect(page.workers()).toHaveLength(1)

  await call(chat, (element) => element.unload())
  await expect.poll(() => page.workers().length).toBe(0)
  await expect(chat.getByTestId('consent')).toContainText('Your chat is kept')
  await call(chat, (element) => element.ask('And now?'))
  await expect(chat.getByTestId('message-assistant')).toHaveCount(2)
})

test('another model lets the old one go, and asks for consent again', async ({ page, origin }) => {
  const chat = await open(page, origin, { body: '<trilobite-chat model="bundled"></trilobite-chat>' })
  await call(chat, (element) => element.load())
  await chat.evaluate((element: Chat) => (element.model = 'llava-hf/llava-1.5-7b-hf'))
  await expect(chat.getByTestId('consent')).toContainText('llava-hf/llava-1.5-7b-hf')
  await expect.poll(() => page.workers().length).toBe(0)
  await expect(chat.getByTestId('consent')).toContainText('14.1 GB from huggingface.co')
})

test('properties set before it is defined are taken', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: `<trilobite-chat></trilobite-chat><script>
      Object.assign(document.querySelector('trilobite-chat'), {
        greeting: 'Hello', hide: ['settings'], model: 'bundled/trilobite-nano-llava', systemPrompt: 'Be brief.',
      })
    </script>`,
  })
  await expect(chat.locator('.greeting')).toContainText('Hello')
  await expect(chat.getByTestId('consent')).toContainText('trilobite-nano-llava')
  await expect(chat.getByTestId('open-settings')).toHaveCount(0)
  expect(await chat.getAttribute('system-prompt')).toBe('Be brief.')
})

test('properties a framework takes back are as if never set', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: '<trilobite-chat autoload readonly hide="picker" images="none.png" model="a/b"></trilobite-chat>',
  })
  const left = await chat.evaluate((element: Chat) => {
    const names = ['autoload', 'hide', 'images', 'model', 'readOnly', 'texts', 'token'] as const
    Object.assign(element, Object.fromEntries(names.map((name) => [name, undefined])))
    const { autoload, hide, images, model, readOnly, texts, token } = element
    return { autoload, hide, images: [...images], model, readOnly, texts, token }
  })
  expect(left).toEqual({
    autoload: false,
    hide: '',
    images: [],
    model: 'bundled',
    readOnly: false,
    texts: {},
    token: '',
  })
  await expect(chat.getByTestId('composer')).toBeVisible()
})

test('a frame without an origin is told what it lacks', async ({ page, origin }) => {
  await recordEvents(page)
  const framed = await servePage({
    body: `<trilobite-chat></trilobite-chat><script type="module" src="${origin}/element/trilobite-chat.js"></script>`,
  })
  await page.goto(
    await servePage({ body: `<iframe sandbox="allow-scripts" src="${framed}" height="600"></iframe>` }),
  )
  const frame = page.frameLocator('iframe')
  await frame.getByTestId('load-button').click()
  await frame.getByText('Details').click()
  await expect(frame.getByTestId('banner')).toContainText('Add allow-same-origin to the frame')
})
