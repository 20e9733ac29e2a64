import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { playEngine } from './support/play'
import { sample } from './support/samples'
import { damaged } from './support/pictures'
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
  await chat.ask(first!.question, sample('09').path)
  await chat.ask(second!.question)
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
