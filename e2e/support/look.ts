import { AxeBuilder } from '@axe-core/playwright'
import { expect } from '@playwright/test'
import type { Visit } from './visit'

/** Rules of axe that judge colours; what the others judge is the same by day and by night. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block']
const SIZES = { narrow: { width: 390, height: 844 }, wide: { width: 1280, height: 800 } } as const

/**
 * At 390 and 1280 pixels, by day and by night: nothing wider than the page, no finding by axe, and a picture of it in
 * test-results/screens/.
 */
export async function look(visit: Visit, state: string) {
  const { page } = visit
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport)
    for (const colorScheme of ['light', 'dark'] as const) {
      const name = `${state}-${size}-${colorScheme}`
      // Axe measures colours, which a running animation changes.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      // Some parts measure themselves once the page has its new size.
      const beyond = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      await expect.poll(beyond, { message: `${name}: width beyond the page` }).toBeLessThanOrEqual(0)
      await page.screenshot({ path: `test-results/screens/${name}.png`, animations: 'disabled' })
      // By night other colours alone are judged, once.
      if (colorScheme === 'dark' && size === 'narrow') continue
      // The page has no frames; without its legacy mode axe opens another page to bring the findings of all together.
      const axe = new AxeBuilder({ page }).setLegacyMode()
      const { violations } = await (colorScheme === 'light' ? axe : axe.withRules(COLOUR_RULES)).analyze()
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)
      expect(found, name).toEqual([])
    }
  }
  await page.setViewportSize(SIZES.wide)
}
