import { expect, test as base, type Locator, type Page } from '@playwright/test'
import { recordEvents, servePackage, servePage, type HostPage } from './embed'
import type { FakeMode } from './fake-engine'
import { playInlineEngine } from './play'
import { closeServers } from './servers'

export { expect }
export type Chat = HTMLElementTagNameMap['trilobite-chat']

/** Elements on a played engine. `origin` serves the package. */
export const test = base.extend<object, { origin: string }>({
  origin: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads the names of fixtures from the pattern
    async ({}, use) => {
      await use(await servePackage())
      closeServers()
    },
    { scope: 'worker' },
  ],
})

/** Opens a page that embeds. What nobody caught there fails the test. */
export async function open(
  page: Page,
  origin: string,
  { body, ...rest }: HostPage,
  ...modes: FakeMode[]
): Promise<Locator> {
  page.on('pageerror', (error) => {
    throw error
  })
  await recordEvents(page)
  await playInlineEngine(page, ...modes)
  const script = `<script type="module" src="${origin}/element/trilobite-chat.js"></script>`
  await page.goto(await servePage({ body: body + script, ...rest }))
  await page.waitForFunction(() => customElements.get('trilobite-chat'))
  return page.locator('trilobite-chat')
}

type Outcome<T> = { value?: T; error?: string; message?: string }

/** What a method of the element comes to. */
export const call = <T>(chat: Locator, method: (element: Chat) => Promise<T>): Promise<Outcome<T>> =>
  chat.evaluate(async (element, body) => {
    const run = new Function('element', `return (${body})(element)`) as (element: unknown) => Promise<T>
    return run(element).then(
      (value) => ({ value }),
      ({ name, message }: Error) => ({ error: name, message }),
    )
  }, method.toString())
