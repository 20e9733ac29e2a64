import type { Locator } from '@playwright/test'
import { expect, open, test, type Chat } from './support/element'
import { llavaSample } from './support/samples'

// Where pages put the element: out of sight, into narrow columns, into text that runs from right to left, from one place
// to another.

const heightOf = async (locator: Locator) => (await locator.boundingBox())!.height
const directionOf = (locator: Locator) => locator.evaluate((element) => getComputedStyle(element).direction)

/** Whether a text fits into its field, or the field is as high as it may be. */
const isWholeOrScrolls = (field: Locator) =>
  field.evaluate(
    (area) =>
      area.scrollHeight <= area.clientHeight ||
      area.clientHeight >= parseFloat(getComputedStyle(area).maxHeight),
  )

const paragraph = 'a question of many words that goes on and on. '.repeat(4)

for (const sizing of ['content', 'fixed'] as const) {
  test.describe(`field-sizing: ${sizing}`, () => {
    const head = `<style>trilobite-chat::part(input) { field-sizing: ${sizing} }</style>`

    test.beforeEach(async ({ page }) => {
      // `fixed` plays a browser that knows nothing else.
      if (sizing === 'fixed')
        await page.addInitScript(() => {
          CSS.supports = () => false
        })
    })

    const places = {
      'display: none': [
        '<div id="place" style="display: none"><trilobite-chat></trilobite-chat></div>',
        () => (document.querySelector<HTMLElement>('#place')!.style.display = 'block'),
      ],
      'a closed dialog': [
        '<dialog id="place" style="width: 600px"><trilobite-chat></trilobite-chat></dialog>',
        () => document.querySelector<HTMLDialogElement>('#place')!.showModal(),
      ],
      'closed details': [
        '<details id="place"><summary>Ask</summary><trilobite-chat></trilobite-chat></details>',
        () => (document.querySelector<HTMLDetailsElement>('#place')!.open = true),
      ],
    } as const

    for (const [place, [body, show]] of Object.entries(places)) {
      test(`the question field is as high as its text once shown: ${place}`, async ({ page, origin }) => {
        const chat = await open(page, origin, { body, head })
        const field = chat.getByTestId('composer')
        await expect(field).toBeHidden()
        await page.evaluate(show as () => unknown)
        await expect(field).toBeVisible()
        await expect.poll(() => heightOf(field)).toBe(40)
        await field.fill('one\ntwo\nthree')
        await expect.poll(() => heightOf(field)).toBeGreaterThan(80)
        await field.fill('')
        await expect.poll(() => heightOf(field)).toBe(40)
      })
    }

    test('the question field grows when its text needs more lines, and shrinks again', async ({
      page,
      origin,
    }) => {
      const errors: string[] = []
      page.on('pageerror', ({ message }) => errors.push(message))
      await page.addInitScript(() =>
        addEventListener('error', ({ message }) => (window.told ??= []).push(message as never)),
      )
      const chat = await open(page, origin, {
        body: '<div id="place" style="width: 800px"><trilobite-chat></trilobite-chat></div>',
        head,
      })
      const field = chat.getByTestId('composer')
      await field.fill(paragraph)
      await expect.poll(() => heightOf(field)).toBeGreaterThan(60)
      const wide = await heightOf(field)
      for (const width of [300, 800]) {
        await page.evaluate((to) => {
          document.querySelector<HTMLElement>('#place')!.style.width = `${to}px`
        }, width)
        if (width === 300) await expect.poll(() => heightOf(field)).toBeGreaterThan(wide + 40)
        else await expect.poll(() => heightOf(field)).toBe(wide)
        expect(await isWholeOrScrolls(field)).toBe(true)
      }
      await field.fill(paragraph.repeat(6))
      await expect.poll(() => heightOf(field)).toBe(192)
      expect(errors).toEqual([])
      expect(await page.evaluate(() => window.told ?? [])).toEqual([])
    })
  })
}

test('what people and models write has its own direction in a chat from left to right', async ({
  page,
  origin,
}) => {
  const chat = await open(page, origin, {
    body: `<script>document.documentElement.dir = 'rtl'</script><trilobite-chat></trilobite-chat>`,
  })
  await chat.getByTestId('load-button').click()
  await expect(chat.getByTestId('engine-ready')).toBeVisible()
  const field = chat.getByTestId('composer')
  expect(await directionOf(field)).toBe('ltr')
  await field.fill('ما هذا؟ 3 أشكال')
  expect(await directionOf(field)).toBe('rtl')
  await field.press('Enter')
  await expect(chat.getByTestId('message-assistant')).toHaveAttribute('data-phase', 'stop')

  const bubble = chat.locator('.bubble').first()
  expect(await directionOf(bubble)).toBe('rtl')
  expect(await directionOf(chat.locator('.markdown').first())).toBe('ltr')
  expect(await directionOf(chat.getByTestId('stats'))).toBe('ltr')
  expect(await directionOf(chat.locator('header'))).toBe('ltr')
  // The field is left of its button, the button left of the window's edge.
  const [fieldBox, sendBox] = [await field.boundingBox(), await chat.getByTestId('send').boundingBox()]
  expect(fieldBox!.x).toBeLessThan(sendBox!.x)

  await chat.getByTestId('edit').click()
  expect(await directionOf(chat.getByTestId('edit-field'))).toBe('rtl')
  await chat.getByTestId('edit-field').fill('What is it?')
  expect(await directionOf(chat.getByTestId('edit-field'))).toBe('ltr')
  await page.keyboard.press('Escape')

  // Each block of an answer has a direction of its own, and code keeps its own in all of them.
  await chat.evaluate((element: Chat) => element.ask('Describe it').then(() => {}))
  const answer = chat.getByTestId('message-assistant').last()
  const list = answer.locator('.markdown').filter({ has: page.locator('ol') })
  await list
    .locator('li')
    .evaluateAll((items) => items.forEach((item) => (item.innerHTML = 'نجمة <code>a(b)</code>')))
  expect(await directionOf(list.locator('ol'))).toBe('rtl')
  expect(await directionOf(list.locator('code').first())).toBe('ltr')
  expect(await list.locator('ol').evaluate((element) => getComputedStyle(element).padding)).toBe(
    '0px 22.4px 0px 0px',
  )
  expect(await directionOf(answer.locator('.markdown').first())).toBe('ltr')
  expect(await directionOf(answer.locator('.code'))).toBe('ltr')

  // The first letter of the question is at the right end of the bubble.
  const firstLetter = await bubble.evaluate((paragraph) => {
    const range = document.createRange()
    range.setStart(paragraph.firstChild!, 0)
    range.setEnd(paragraph.firstChild!, 1)
    const [letter, all] = [range.getBoundingClientRect(), paragraph.getBoundingClientRect()]
    return { toLeft: letter.left - all.left, toRight: all.right - letter.right }
  })
  expect(firstLetter.toRight).toBeLessThan(firstLetter.toLeft)
})

test.describe('what lies over a chat', () => {
  const body = `<input id="search"><div id="first"><trilobite-chat></trilobite-chat></div><div id="second"></div>`

  async function openPicture(chat: Locator): Promise<void> {
    await chat.getByTestId('attach-input').setInputFiles(llavaSample('08').path)
    await chat.getByTestId('thumbnail').click()
  }

  const overlays = {
    settings: { opener: 'open-settings', open: (chat: Locator) => chat.getByTestId('open-settings').click() },
    lightbox: { opener: 'thumbnail', open: openPicture },
  }

  for (const [name, { opener, open: show }] of Object.entries(overlays)) {
    test(`${name}: Escape, its button and a click beside it close it, and the focus goes back`, async ({
      page,
      origin,
    }) => {
      const chat = await open(page, origin, { body })
      await show(chat)
      const overlay = chat.getByTestId(name)
      const closings = [
        () => page.keyboard.press('Escape'),
        () => overlay.getByRole('button').first().click(),
        () => page.mouse.click(3, 3),
      ]
      for (const close of closings) {
        await expect(overlay).toBeVisible()
        await close()
        await expect(overlay).toHaveCount(0)
        await expect(chat.getByTestId(opener)).toBeFocused()
        await chat.getByTestId(opener).click()
      }
    })

    test(`${name}: moved with the element it closes, leaves the focus alone, and opens again`, async ({
      page,
      origin,
    }) => {
      const chat = await open(page, origin, { body })
      await show(chat)
      const overlay = chat.getByTestId(name)
      await expect(overlay).toBeVisible()
      await page.evaluate(() => {
        document.querySelector('#second')!.append(document.querySelector('trilobite-chat')!)
        document.querySelector<HTMLElement>('#search')!.focus()
      })
      await expect(overlay).toHaveCount(0)
      await expect(page.locator('#search')).toBeFocused()

      await chat.getByTestId(opener).click()
      expect(await overlay.evaluate((dialog) => dialog.matches(':modal'))).toBe(true)
      await page.keyboard.press('Escape')
      await expect(overlay).toHaveCount(0)
      await expect(chat.getByTestId(opener)).toBeFocused()
    })

    test(`${name}: in a place that is hidden it closes, and the page can be used`, async ({
      page,
      origin,
    }) => {
      const chat = await open(page, origin, { body })
      await show(chat)
      const overlay = chat.getByTestId(name)
      await expect(overlay).toBeVisible()
      await page.evaluate(() => (document.querySelector<HTMLElement>('#first')!.hidden = true))
      await expect(overlay).toHaveCount(0)
      await page.locator('#search').click()
      await page.evaluate(() => (document.querySelector<HTMLElement>('#first')!.hidden = false))
      await expect(page.locator('#search')).toBeFocused()
      await chat.getByTestId(opener).click()
      await expect(overlay).toBeVisible()
    })
  }

  test('opened when the element is just taken out, nothing throws, and it opens when it is back', async ({
    page,
    origin,
  }) => {
    const errors: string[] = []
    page.on('pageerror', ({ message }) => errors.push(message))
    const chat = await open(page, origin, { body })
    await expect(chat.getByTestId('open-settings')).toBeVisible()
    await page.evaluate(() => {
      const chat = document.querySelector('trilobite-chat')!
      chat.remove()
      chat.shadowRoot!.querySelector<HTMLElement>('[data-testid=open-settings]')!.click()
      Object.assign(window, { chat })
    })
    await page.evaluate(() =>
      document.querySelector('#second')!.append((window as unknown as { chat: Element }).chat),
    )
    await expect(chat.getByTestId('settings')).toHaveCount(0)
    await chat.getByTestId('open-settings').click()
    await expect(chat.getByTestId('settings')).toBeVisible()
    expect(errors).toEqual([])
  })
})

test('the same picture twice is one picture, and none of the other is kept', async ({ page, origin }) => {
  await page.addInitScript(() => {
    const alive = new Set<string>()
    Object.assign(window, { alive })
    const { createObjectURL, revokeObjectURL } = URL
    URL.createObjectURL = (blob) => {
      const url = createObjectURL(blob)
      if (blob instanceof Blob && blob.type.startsWith('image/')) alive.add(url)
      return url
    }
    URL.revokeObjectURL = (url) => {
      alive.delete(url)
      revokeObjectURL(url)
    }
  })
  const alive = () => page.evaluate(() => (window as unknown as { alive: Set<string> }).alive.size)
  const chat = await open(page, origin, { body: '<trilobite-chat></trilobite-chat>' })
  const { path } = llavaSample('08')
  const input = chat.getByTestId('attach-input')
  await input.setInputFiles(path)
  await expect(chat.getByTestId('thumbnail')).toHaveCount(1)
  expect(await alive()).toBe(1)
  await input.setInputFiles(path)
  await expect(chat.getByTestId('composer')).toBeFocused()
  await expect(input).toHaveValue('')
  await expect(chat.getByTestId('thumbnail')).toHaveCount(1)
  expect(await alive()).toBe(1)
  await chat.evaluate((element: Chat) => element.ask('How many?').then(() => {}))
  expect(await alive()).toBe(1)
  await chat.evaluate((element: Chat) => element.clear())
  expect(await alive()).toBe(0)
})

test('the cursor comes to the composer without scrolling the page', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    body: '<trilobite-chat></trilobite-chat><div style="height: 4000px"></div>',
  })
  await expect(chat.getByTestId('load-button')).toBeEnabled()
  await chat.evaluate((element: Chat) => {
    element.shadowRoot!.querySelector<HTMLElement>('[data-testid=load-button]')!.click()
    scrollTo({ top: 3000 })
  })
  await expect(chat.getByTestId('composer')).toBeFocused()
  expect(await page.evaluate(() => scrollY)).toBe(3000)
})
