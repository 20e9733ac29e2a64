import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { playEngine } from './support/play'
import { sample } from './support/samples'
import { damaged, unmet } from './support/pictures'
import type { Visit } from './support/visit'
import { freeLastShard, holdLastShard } from './support/shards'
import { beforeEngine } from './support/worker-script'

test('before and while loading', async ({ visit }) => {
  const { page } = visit
  await visit.open()
  await look(visit, 'welcome')

  const { reached } = await holdLastShard(page)
  await visit.part('load-button').click()
  await reached
  await expect(visit.part('load-progress')).toContainText('File 2 of 4')
  await look(visit, 'loading')
  await visit.part('cancel-load').click()
  await expect(visit.engine('idle')).toBeVisible()
  await freeLastShard(page)

  await visit.part('screen-models').click()
  await expect(visit.part('plan')).toBeVisible()
  await look(visit, 'models')
})

test('a chat and its settings', async ({ chat }) => {
  const [first, second] = sample('09').turns
  await look(chat, 'ready')
  await setProfiling(chat, true)
  const { profile } = (await chat.ask(first!.question, unmet(sample('09').path, 'profile'))).reply
  expect(profile!.phases.map(({ phase }) => phase)).toEqual(['encode', 'prompt', 'decode'])
  for (const { phase, steps, kernels } of profile!.phases) {
    const table = chat.part(`profile-${phase}`).getByRole('table')
    await expect(table.getByRole('row')).toHaveCount(1 + kernels.length)
    await expect(table.getByRole('rowheader').first()).toHaveText(kernels[0]!.kernel)
    expect(steps).toBeGreaterThan(0)
  }
  await chat.part('profile').scrollIntoViewIfNeeded()
  await look(chat, 'profile')
  await copyProfile(chat)
  await setProfiling(chat, false)
  await chat.ask(second!.question)
  await expect(chat.part('profile')).toHaveCount(1)
  await chat.part('toggle-profile').press('Enter')
  await expect(chat.part('profile')).toHaveCount(0)
  await chat.attach(sample('01').path, damaged.text)
  await chat.part('composer').fill('What is this?\nIs it an animal or a vehicle?')
  await look(chat, 'chat')
  await chat.part('edit').first().click()
  await look(chat, 'edit')
  await chat.page.getByRole('button', { name: 'Cancel' }).click()
  await chat.part('open-settings').click()
  await look(chat, 'settings')
  await chat.page.keyboard.press('Escape')
  await chat.part('thumbnail').first().click()
  await look(chat, 'lightbox')
  await chat.page.keyboard.press('Escape')
  await chat.part('remove-picture').click()
  await chat.part('composer').fill('')
})

/** By the settings, as a visitor does with keys. */
async function setProfiling(chat: Visit, isOn: boolean) {
  await chat.part('open-settings').click()
  await expect(chat.part('profile-answers')).toBeChecked({ checked: !isOn })
  await chat.part('profile-answers').press('Space')
  await expect(chat.part('profile-answers')).toBeChecked({ checked: isOn })
  await chat.page.keyboard.press('Escape')
}

async function copyProfile(chat: Visit) {
  await chat.context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await chat.part('profile').getByTestId('copy').press('Enter')
  await expect(chat.part('profile').getByTestId('copy')).toHaveAccessibleName('Copied')
  const copied = JSON.parse(await chat.page.evaluate(() => navigator.clipboard.readText())) as object
  expect(copied).toMatchObject({ loadToFirstTokenMs: expect.any(Number) })
  expect(copied).toMatchObject({ phases: [{ phase: 'encode' }, { phase: 'prompt' }, { phase: 'decode' }] })
}

test('a browser without WebGPU', async ({ visit }) => {
  await visit.page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu'))
  await beforeEngine(visit.page, 'Reflect.deleteProperty(WorkerNavigator.prototype, "gpu")')
  await visit.page.goto('./')
  await expect(visit.engine('unfit')).toBeVisible()
  await look(visit, 'no-webgpu')
})

test('the theme is chosen by hand and kept', async ({ visit }) => {
  const { page } = visit
  await playEngine(page)
  await page.emulateMedia({ colorScheme: 'light' })
  await visit.open()
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const light = await ground()
  const theme = visit.part('theme')
  await expect(theme).toHaveAccessibleName('Theme: as the system')
  await theme.click()
  await expect(theme).toHaveAccessibleName('Theme: light')
  await page.emulateMedia({ colorScheme: 'dark' })
  expect(await ground()).toBe(light)
  await theme.click()
  await expect(theme).toHaveAccessibleName('Theme: dark')
  await page.emulateMedia({ colorScheme: 'light' })
  const dark = await ground()
  expect(dark).not.toBe(light)
  await page.reload()
  await expect(theme).toHaveAccessibleName('Theme: dark')
  expect(await ground()).toBe(dark)
})
