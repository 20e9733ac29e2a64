import { chatOf, keepChats } from './support/chats'
import { expect, test } from './support/fixtures'
import { lastingLongTasks } from './support/main-thread'
import { playEngine } from './support/play'
import { collapsed, sample } from './support/samples'

const bird = sample('01')

test('loading and answering never hold the page, and a chat is there again after its reload', async ({
  visit,
}) => {
  await visit.open()
  const [first, second] = bird.turns
  const long = await lastingLongTasks(
    visit.page,
    async () => {
      await visit.part('load-button').click()
      await visit.untilReady()
      await visit.ask(first!.question, bird.path)
    },
    async () => {
      await visit.newChat()
      await visit.page.reload()
    },
  )
  expect(long, 'tasks that held the page').toEqual([])

  await visit.page.reload()
  await expect(visit.engine('idle')).toBeVisible()
  await expect(visit.asked).toHaveText(first!.question)
  await expect(visit.text()).toHaveText(first!.reply)
  const picture = visit.part('thumbnail').getByRole('img')
  await expect(picture).toHaveCount(1)
  expect(
    await picture.evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth)),
  ).toBe(await visit.page.evaluate(() => document.querySelector('img')!.naturalWidth))

  await visit.part('load-button').click()
  await visit.untilReady()
  const { reply } = await visit.ask(second!.question)
  expect(collapsed(reply.promptTokenIds)).toEqual(second!.input_ids)
  expect(reply.tokenIds).toEqual(second!.generated_ids)
  expect(reply.reusedTokens).toBe(0)

  await visit.newChat()
  await visit.page.reload()
  await expect(visit.engine('idle')).toBeVisible()
  await expect(visit.part('example').first()).toBeVisible()
  await expect(visit.questions).toHaveCount(0)
})

test('an answer cut off by closing the page says so when it opens again', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.openReady()
  const question = 'Tell a long story.'
  await visit.atFirstText('reload')
  await visit.send(question, bird.path)
  await visit.page.waitForEvent('load')
  await expect(visit.answers.last()).toHaveAttribute('data-phase', 'interrupted')
  await expect(visit.answers.last()).toContainText('The page was closed before this answer was complete.')
  await expect(visit.asked).toHaveText(question)
})

test('pictures, scripts and frames in an answer never load', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.open()
  const said = [
    'Look: ![tracker](https://example.com/log.png?secret) and',
    '<img src="https://example.com/a.png" onerror="document.title = \'owned\'">',
    '<iframe src="https://example.com/"></iframe> <script>document.title = \'owned\'</script>',
    '<style>@import "https://example.com/a.css"; body { background: url(https://example.com/b.png) }</style>',
    '[link](https://example.com/card) [bad](javascript:document.title=1) [worse](data:text/html,x)',
  ].join('\n\n')
  await keepChats(visit.page, [chatOf('a', 'What is this?', said)])
  await visit.page.reload()
  await expect(visit.text()).toContainText('[picture not loaded: tracker]')
  await expect(visit.text().locator('img, iframe, script, style, object, embed, video')).toHaveCount(0)
  await expect(visit.text()).toContainText('<img src=')
  const links = visit.text().getByRole('link')
  await expect(links).toHaveCount(1)
  await expect(links).toHaveAttribute('href', 'https://example.com/card')
  await expect(links).toHaveAttribute('rel', /noopener noreferrer/)
  await expect(visit.page).toHaveTitle('Trilobite')
  // That nothing was asked of another origin is checked for every test.
})

test('the content security policy stops what other walls let through', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.open()
  expect(visit.offences.errors).toEqual([])
  const refused = visit.page.waitForEvent('requestfailed')
  await visit.page.evaluate(() => {
    const picture = new Image()
    picture.src = 'https://example.com/log.png'
    const script = document.createElement('script')
    script.textContent = "document.title = 'owned'"
    document.body.append(picture, script)
  })
  await expect
    .poll(() => visit.offences.errors.filter((error) => /img-src|script-src/.test(error)).length)
    .toBe(2)
  await expect(visit.page).toHaveTitle('Trilobite')
  expect((await refused).failure()?.errorText).toBe('csp')
  // The test's own doing. That both lists fill shows that empty ones mean something.
  visit.offences.forgive(/img-src|script-src/)
  expect(visit.offences.foreign.splice(0)).toEqual(['https://example.com/log.png'])
})
