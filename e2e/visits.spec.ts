import { ALLOWED, PAYLOADS } from '../src/ui/text/testing/payloads'
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

test('what attackers have a model say is inert, and asks nobody for anything', async ({ visit }) => {
  await playEngine(visit.page, 'echo')
  await visit.openReady()
  const batch = Math.ceil(PAYLOADS.length / 8)
  for (let at = 0; at < PAYLOADS.length; at += batch) {
    await visit.send(PAYLOADS.slice(at, at + batch).join('\n\n'))
    await visit.untilAnswered('stop', at / batch + 1)
  }
  const found = await visit.answers.locator('.markdown *').evaluateAll((elements) =>
    elements.map((element) => ({
      tag: element.localName,
      attributes: element.getAttributeNames(),
      protocol: element instanceof HTMLAnchorElement ? element.protocol : 'https:',
    })),
  )
  expect(found.length).toBeGreaterThan(100)
  for (const { tag, attributes, protocol } of found) {
    expect(Object.keys(ALLOWED)).toContain(tag)
    for (const attribute of attributes) expect(ALLOWED[tag]).toContain(attribute)
    expect(['https:', 'http:', 'mailto:']).toContain(protocol)
  }
  expect(await visit.page.evaluate(() => 'owned' in globalThis)).toBe(false)
  // That nothing was asked of another origin, and no policy broken, is checked for every test.
})

test('the content security policy stops what other walls let through', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.open()
  expect(visit.offences.errors).toEqual([])
  const refused = visit.page.waitForEvent('requestfailed')
  const untrusted = await visit.page.evaluate(() => {
    const picture = new Image()
    picture.src = 'https://example.com/log.png'
    document.body.append(picture)
    import('https://example.com/' + 'owned.js').catch(() => {})
    // Text becomes markup, scripts and workers by policies alone that the page names.
    const ways: (() => unknown)[] = [
      () => (document.createElement('div').innerHTML = '<img src=x onerror="document.title = 1">'),
      () => (document.createElement('script').text = 'document.title = 1'),
      () => document.body.setAttribute('onclick', 'document.title = 1'),
      () => new Worker('data:text/javascript,1'),
      () => window.setTimeout('document.title = 1'),
      () =>
        (
          window as unknown as { trustedTypes: { createPolicy(name: string, rules: object): void } }
        ).trustedTypes.createPolicy('mine', {}),
    ]
    return ways
      .filter((way) => {
        try {
          way()
          return true
        } catch {
          return false
        }
      })
      .map(String)
  })
  expect(untrusted).toEqual([])
  await expect
    .poll(() => visit.offences.errors.filter((error) => /img-src|script-src/.test(error)).length)
    .toBeGreaterThanOrEqual(2)
  await expect(visit.page).toHaveTitle('Trilobite')
  expect((await refused).failure()?.errorText).toBe('csp')
  // The test's own doing. That both lists fill shows that empty ones mean something.
  visit.offences.forgive(/img-src|script-src|TrustedHTML|TrustedScript|TrustedTypePolicy/)
  expect(visit.offences.foreign.splice(0).sort()).toEqual([
    'https://example.com/log.png',
    'https://example.com/owned.js',
  ])
})
