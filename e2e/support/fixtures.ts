import { test as base, expect } from '@playwright/test'
import { Visit } from './visit'

export { expect }

/**
 * `visit`: a visitor of this test alone, on no page yet. `shared`: one with the bundled model loaded, for every test of
 * a worker, because loading takes most of a short test's time. `chat`: the same, with a new chat.
 *
 * Both fail their test when the page threw, wrote an error, broke its content security policy or left its origin.
 */
export const test = base.extend<{ visit: Visit; chat: Visit }, { shared: Visit }>({
  shared: [
    async ({ browser }, use, { project }) => {
      const visit = await Visit.begin(browser, project.use.baseURL!)
      await visit.openReady()
      await use(visit)
      await visit.end()
    },
    { scope: 'worker', timeout: 240_000 },
  ],

  chat: async ({ shared }, use) => {
    await shared.newChat()
    await use(shared)
    expectInnocent(shared)
  },

  visit: async ({ browser, baseURL }, use) => {
    const visit = await Visit.begin(browser, baseURL!)
    await use(visit)
    await visit.end()
    expectInnocent(visit)
  },
})

function expectInnocent({ offences }: Visit) {
  expect(offences.errors.splice(0), 'errors of the page').toEqual([])
  expect(offences.foreign.splice(0), 'requests to other origins').toEqual([])
}
