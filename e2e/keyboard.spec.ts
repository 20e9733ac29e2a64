import { expect, test } from './support/fixtures'
import { playEngine } from './support/play'
import { sample } from './support/samples'
import type { Visit } from './support/visit'

const digit = sample('06')
const long = sample('08').turns[0]!

// On an engine that plays: keys are the page's.
test('a whole chat by keyboard alone', async ({ visit }) => {
  const { page } = visit
  const { keyboard } = page
  await playEngine(page)
  await visit.open()

  await tabTo(visit, 'load-button')
  await keyboard.press('Enter')
  await visit.untilReady()
  await expect(visit.part('composer')).toBeFocused()

  const chooser = page.waitForEvent('filechooser')
  await tabTo(visit, 'attach', 'Shift+Tab')
  await keyboard.press('Enter')
  await (await chooser).setFiles(digit.path)
  await expect(visit.part('thumbnail')).toHaveCount(1)
  await expect(visit.part('composer')).toBeFocused()

  // A picture is enlarged and put away again.
  await tabTo(visit, 'thumbnail', 'Shift+Tab')
  await keyboard.press('Enter')
  await expect(visit.part('lightbox')).toBeVisible()
  await keyboard.press('Escape')
  await expect(visit.part('lightbox')).toBeHidden()
  await expect(visit.part('thumbnail')).toBeFocused()

  await tabTo(visit, 'composer')
  await keyboard.type(digit.turns[0]!.question)
  await keyboard.press('Enter')
  await visit.untilAnswered('stop', 1)
  await expect(visit.text()).toHaveText('There are three shapes.')
  await expect(visit.part('composer')).toBeFocused()

  // Shift+Enter starts a line and sends nothing.
  await keyboard.type('one')
  await keyboard.press('Shift+Enter')
  await keyboard.type('two')
  await expect(visit.part('composer')).toHaveValue('one\ntwo')
  await expect(visit.questions).toHaveCount(1)
  await keyboard.press('Control+a')
  await keyboard.press('Delete')

  await tabTo(visit, 'edit', 'Shift+Tab')
  await keyboard.press('Enter')
  await expect(visit.part('edit-field')).toBeFocused()
  await keyboard.press('Escape')
  await expect(visit.part('edit')).toBeFocused()
  await keyboard.press('Enter')
  await keyboard.press('Control+a')
  await keyboard.type(long.question)
  await keyboard.press('Enter')
  await visit.untilAnswered('stop', 1)
  await expect(visit.asked).toHaveText(long.question)
  await expect(visit.part('composer')).toBeFocused()

  await keyboard.press('Control+,')
  await expect(visit.part('settings')).toBeVisible()
  await keyboard.press('Escape')
  await expect(visit.part('settings')).toBeHidden()

  await keyboard.press('Control+Shift+O')
  await expect(visit.answers).toHaveCount(0)
  await expect(visit.part('composer')).toBeFocused()
  await tabTo(visit, 'screen-models', 'Shift+Tab')
  await keyboard.press('Enter')
  await expect(page.getByRole('radio', { checked: true })).toBeVisible()
})

/** Presses Tab until a part has the focus; every stop on the way must be visible and named. */
async function tabTo(visit: Visit, testId: string, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  for (let stop = 0; stop < 40; stop++) {
    await visit.page.keyboard.press(key)
    const focused = visit.page.locator(':focus')
    if ((await focused.count()) === 0) continue
    await expect(focused).toHaveAccessibleName(/\S/)
    await expect(focused).toBeInViewport()
    if ((await focused.getAttribute('data-testid')) === testId) return
  }
  throw new Error(`forty presses of ${key} did not reach ${testId}`)
}
