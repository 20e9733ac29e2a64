import type { Page } from '@playwright/test'

/** Runs JavaScript in the engine's worker ahead of the engine's own. */
export async function beforeEngine(page: Page, script: string): Promise<void> {
  await page.route('**/assets/engine.worker-*.js', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, body: `${script};\n${await response.text()}` })
  })
}
