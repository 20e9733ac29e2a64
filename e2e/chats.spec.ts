import { readFileSync } from 'node:fs'
import type { Page, Request } from '@playwright/test'
import { chatOf, keepChats } from './support/chats'
import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { lastingLongTasks } from './support/main-thread'
import { playEngine } from './support/play'
import { sample } from './support/samples'
import type { Visit } from './support/visit'

const bird = sample('01')

const row = (visit: Visit, title: string) => visit.part('chat-row').filter({ hasText: title })
const titles = (visit: Visit) => visit.part('chat-row').locator('.title')

/** Chooses from the menu of one chat, or of all. */
async function choose(visit: Visit, item: string, title?: string) {
  const menu = title === undefined ? visit.part('chats-more') : row(visit, title).getByTestId('chat-more')
  await menu.click()
  await visit.part(item).click()
}

/** The bytes of what a menu has the browser keep. */
async function exported(visit: Visit, item: string, title?: string) {
  const download = visit.page.waitForEvent('download')
  await choose(visit, item, title)
  const file = await download
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) }
}

const importing = (visit: Visit, name: string, bytes: Buffer) =>
  visit.part('chats-import-input').setInputFiles({ name, mimeType: 'application/json', buffer: bytes })

/** What the database holds under its stores. */
const kept = (page: Page) =>
  page.evaluate(async () => {
    const open = indexedDB.open('trilobite')
    await new Promise((done) => (open.onsuccess = done))
    const db = open.result
    const counts: Record<string, number> = {}
    for (const name of db.objectStoreNames) {
      const count = db.transaction(name).objectStore(name).count()
      await new Promise((done) => (count.onsuccess = done))
      counts[name] = count.result
    }
    db.close()
    return counts
  })

test('chats are found again, renamed, exported, deleted and imported, and nothing leaves the page', async ({
  visit,
}) => {
  const { page } = visit
  await playEngine(page)
  await visit.openReady()
  await expect(visit.part('no-chats')).toBeVisible()
  await visit.send('Which bird is this?', bird.path)
  await visit.untilAnswered('stop', 1)
  await visit.newChat()
  await visit.send('Describe the shapes.', bird.path)
  await visit.untilAnswered('stop', 1)
  await expect(titles(visit)).toHaveText(['Describe the shapes.', 'Which bird is this?'])
  // The same picture in both is kept once.
  expect(await kept(page)).toEqual({ heads: 2, bodies: 2, pictures: 1 })

  const requests: string[] = []
  const record = (request: Request) => {
    if (!request.url().startsWith('blob:')) requests.push(`${request.method()} ${request.url()}`)
  }
  page.on('request', record)

  await visit.part('chats-search').fill('ORANGE star')
  await expect(titles(visit)).toHaveText(['Describe the shapes.'])
  await expect(visit.part('chat-row').locator('mark')).toHaveText('orange')
  await visit.part('chats-search').fill('three')
  await expect(visit.part('chat-row')).toContainText('There are **three** shapes.')
  await visit.part('chats-search').press('Enter')
  await expect(visit.asked).toHaveText('Which bird is this?')
  await visit.part('chats-search').fill('walrus')
  await expect(visit.part('none-found')).toContainText('walrus')
  await visit.part('chats-search').press('Escape')

  await choose(visit, 'chat-rename', 'Which bird')
  await visit.part('chat-title-field').fill('A <b>heron</b>')
  await visit.part('chat-title-field').press('Enter')
  await expect(row(visit, 'A <b>heron</b>').getByTestId('chat-open')).toBeFocused()

  const text = await exported(visit, 'chat-export-markdown', 'heron')
  expect(text.name).toBe('A b heron b.zip')
  expect(text.bytes.includes('# A \\<b\\>heron\\</b\\>')).toBe(true)
  const all = await exported(visit, 'chats-export-json')
  expect(all.name).toMatch(/^trilobite-chats-\d{4}-\d\d-\d\d\.json$/)
  expect(JSON.parse(all.bytes.toString())).toMatchObject({
    format: 'trilobite-chats',
    version: 1,
    chats: [{ title: 'Describe the shapes.' }, { title: 'A <b>heron</b>' }],
    pictures: [{ data: readFileSync(bird.path).toString('base64') }],
  })

  await choose(visit, 'chat-delete', 'heron')
  await expect(titles(visit)).toHaveText(['Describe the shapes.'])
  await expect(visit.questions).toHaveCount(0)
  await visit.part('chat-undo').click()
  await expect(titles(visit)).toHaveText(['Describe the shapes.', 'A <b>heron</b>'])
  await expect(visit.asked).toHaveText('Which bird is this?')

  await choose(visit, 'chats-delete-all')
  await visit.part('confirm').click()
  await expect(visit.part('no-chats')).toBeVisible()
  expect(await kept(page)).toEqual({ heads: 0, bodies: 0, pictures: 0 })

  await importing(visit, 'all.json', all.bytes)
  await expect(visit.part('chats-notice')).toHaveText('2 chats imported.')
  await importing(visit, 'again.json', all.bytes)
  await expect(visit.part('chat-row')).toHaveCount(4)
  expect(await kept(page)).toEqual({ heads: 4, bodies: 4, pictures: 1 })
  await row(visit, 'heron').first().getByTestId('chat-open').click()
  await expect(visit.part('thumbnail').getByRole('img')).toHaveJSProperty('complete', true)
  await expect(visit.text()).toHaveText('There are three shapes.')

  page.off('request', record)
  // The page's own code for zips alone.
  const { origin } = new URL(page.url())
  expect(requests.map((request) => request.replace(/-.*/, ''))).toEqual([`GET ${origin}/assets/zip.js`])
})

test('an answer goes on in its chat while another is looked at', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.openReady()
  await visit.send('What is this?')
  await visit.untilAnswered('stop', 1)
  await visit.newChat()
  await visit.send('Tell a long story.', bird.path)
  await expect(visit.text()).not.toBeEmpty()
  await row(visit, 'What is this?').getByTestId('chat-open').click()
  await expect(visit.asked).toHaveText('What is this?')
  await expect(visit.part('answering-elsewhere')).toContainText('Tell a long story.')
  await expect(row(visit, 'Tell a long story.')).toContainText('being answered')
  await visit.part('composer').fill('And now?')
  await expect(visit.part('stop')).toBeVisible()
  await visit.part('show-answering').click()
  await expect(visit.answers).toHaveAttribute('data-phase', 'streaming')
  await row(visit, 'What is this?').getByTestId('chat-open').click()
  await visit.part('stop').click()
  await expect(visit.part('answering-elsewhere')).toBeHidden()
  await visit.part('composer').press('Enter')
  await visit.untilAnswered('stop', 2)
  await row(visit, 'Tell a long story.').getByTestId('chat-open').click()
  await expect(visit.answers).toHaveAttribute('data-phase', 'aborted')
  await expect(visit.text()).toContainText('The picture shows two shapes')
  await expect(visit.part('thumbnail').getByRole('img')).toHaveJSProperty('complete', true)

  // One that is deleted before its answer is complete does not come back with it.
  await visit.part('regenerate').click()
  await expect(visit.answers).toHaveAttribute('data-phase', 'streaming')
  await choose(visit, 'chat-delete', 'Tell a long story.')
  await expect(visit.engine('ready')).toBeVisible()
  await expect(titles(visit)).toHaveText(['What is this?'])
  expect(await kept(visit.page)).toEqual({ heads: 1, bodies: 1, pictures: 0 })
  await visit.part('chat-undo').click()
  await expect(visit.answers).toHaveAttribute('data-phase', 'aborted')
  await expect(visit.part('thumbnail').getByRole('img')).toHaveJSProperty('naturalWidth', 256)
  expect(await kept(visit.page)).toEqual({ heads: 2, bodies: 2, pictures: 1 })
})

test('two tabs show what the other does, and neither overwrites the other', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.page.addInitScript(() => {
    const { addEventListener } = BroadcastChannel.prototype
    BroadcastChannel.prototype.addEventListener = function (type: string, hear: (event: Event) => void) {
      addEventListener.call(this, type, (event) => {
        if (!(globalThis as { isDeaf?: boolean }).isDeaf) hear(event)
      })
    }
  })
  await visit.openReady()
  await visit.send('First question')
  await visit.untilAnswered('stop', 1)
  const other = await visit.beside()
  await playEngine(other.page)
  await other.openReady()
  await expect(other.asked).toHaveText('First question')

  await other.send('Second question')
  await other.untilAnswered('stop', 2)
  await expect(visit.asked).toHaveText(['First question', 'Second question'])
  await choose(other, 'chat-rename', 'First')
  await other.part('chat-title-field').fill('Ours')
  await other.part('chat-title-field').press('Enter')
  await expect(titles(visit)).toHaveText(['Ours'])

  // What another tab writes is told of there, and is there once it is complete.
  await other.send('A long story there')
  await expect(visit.part('notice')).toHaveText('Another tab is writing this answer.')
  await other.part('stop').click()
  await expect(visit.part('notice')).toBeHidden()
  await expect(visit.answers.last()).toHaveAttribute('data-phase', 'aborted')
  await expect(visit.text()).toHaveText(await other.text().innerText(), { useInnerText: true })

  // A tab that has not heard of the other's question keeps its own in a chat of its own.
  await visit.page.evaluate(() => Object.assign(globalThis, { isDeaf: true }))
  await other.send('Another question there')
  await other.untilAnswered('stop', 4)
  await visit.send('A question here')
  await visit.untilAnswered('stop', 4)
  await expect(visit.part('chats-notice')).toContainText('changed or deleted this chat meanwhile')
  await expect(visit.asked.last()).toHaveText('A question here')
  await expect(titles(other)).toHaveText(['First question', 'Ours'])
  await expect(other.asked.last()).toHaveText('Another question there')
  await visit.page.evaluate(() => Object.assign(globalThis, { isDeaf: false }))

  await choose(other, 'chats-delete-all')
  await other.part('confirm').click()
  await expect(visit.part('no-chats')).toBeVisible()
  await expect(visit.questions).toHaveCount(0)
})

test('the one chat of earlier versions is there, and a thousand chats hold nothing up', async ({ visit }) => {
  const { page } = visit
  await playEngine(page)
  // A page of the same origin that keeps nothing.
  await page.goto('./icons/trilobite.svg')
  await page.evaluate(async (bytes) => {
    const open = indexedDB.open('trilobite', 1)
    open.onupgradeneeded = () => open.result.createObjectStore('chat')
    await new Promise((done) => (open.onsuccess = done))
    const blob = new Blob([Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0))], { type: 'image/png' })
    const pictures = [{ id: 'p', name: 'bird.png', blob }]
    const change = open.result.transaction('chat', 'readwrite')
    change.objectStore('chat').put(
      {
        version: 1,
        entries: [
          { role: 'user', id: 'q', text: 'An old question', pictures },
          { role: 'assistant', id: 'a', text: 'An old answer', phase: 'stop' },
        ],
      },
      'current',
    )
    await new Promise((done) => (change.oncomplete = done))
    open.result.close()
  }, readFileSync(bird.path).toString('base64'))
  await visit.open()
  await expect(visit.asked).toHaveText('An old question')
  await expect(visit.text()).toHaveText('An old answer')
  await expect(visit.part('thumbnail').getByRole('img')).toHaveJSProperty('complete', true)
  await expect(titles(visit)).toHaveText('An old question')

  const answer = 'A medium orange star stands at the bottom left of a large red circle. '.repeat(80)
  const many = Array.from({ length: 1000 }, (_, i) =>
    chatOf(`${i}`, `Question number ${i}`, `${answer} It is number ${i}.`, Date.UTC(2025, 0, 1) + i),
  )
  await keepChats(page, many)
  const longTasks = await lastingLongTasks(
    page,
    async () => {
      await page.reload()
      await expect(visit.part('chat-row').first()).toBeVisible()
      await visit.part('chats-search').pressSequentially('number 777')
      await expect(titles(visit)).toHaveText(['Question number 777'])
      await visit.part('chats-search').fill('orange circle')
      await expect(visit.part('chat-row').first()).toContainText('Question number 999')
    },
    async () => {},
  )
  expect(longTasks, 'tasks that held the page').toEqual([])
  // A screenful is in the page, and the keys reach the rest.
  expect(await visit.part('chat-row').count()).toBeLessThan(30)
  await visit.part('chats-search').press('ArrowDown')
  await expect(row(visit, 'Question number 999').getByTestId('chat-open')).toBeFocused()
  await page.keyboard.press('F2')
  await expect(visit.part('chat-title-field')).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(row(visit, 'Question number 999').getByTestId('chat-open')).toBeFocused()
  await page.keyboard.press('Delete')
  await expect(row(visit, 'Question number 998').getByTestId('chat-open')).toBeFocused()
  await page.keyboard.press('Control+z')
  await expect(row(visit, 'Question number 999')).toBeVisible()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await expect(visit.part('chat-rename')).toBeFocused()
  await page.keyboard.press('ArrowUp')
  await expect(visit.part('chat-delete')).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(row(visit, 'Question number 998').getByTestId('chat-more')).toBeFocused()
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('End')
  await expect(row(visit, 'Question number 0').getByTestId('chat-open')).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(visit.asked).toHaveText('Question number 0')
  await expect(row(visit, 'Question number 0').getByTestId('chat-open')).toHaveAttribute(
    'aria-current',
    'true',
  )
})

test('files that are no exports are refused in words, and what they hold is inert', async ({ visit }) => {
  const { page } = visit
  await playEngine(page)
  await visit.open()
  const refused = async (name: string, content: string, words: string) => {
    await importing(visit, name, Buffer.from(content))
    await expect(visit.part('chats-notice')).toContainText(words)
    await expect(visit.part('no-chats')).toBeVisible()
  }
  await refused('a.json', 'no json', 'a.json is not a JSON file')
  await refused('b.json', '{"format":"other"}', 'b.json is not an export of chats')
  await refused('c.json', `{"format":${'['.repeat(1e6)}`, 'c.json is damaged')
  await refused('d.json', '{"format":"trilobite-chats","version":9}', 'newer version')

  const time = '2026-01-01T00:00:00.000Z'
  const owned = '<img src="https://example.com/x.png" onerror="document.title = \'owned\'">'
  const chat = {
    title: owned,
    createdAt: time,
    changedAt: time,
    entries: [
      { role: 'user', text: owned, pictures: [{ id: 'x', name: owned }] },
      { role: 'assistant', text: `${owned} ![x](https://example.com/y.png)`, phase: 'stop' },
    ],
  }
  const pictures = [{ id: 'x', type: 'image/png', data: btoa('<svg onload="document.title = 1">') }]
  const file = { format: 'trilobite-chats', version: 1, chats: [chat], pictures }
  await page.evaluate((content) => {
    const data = new DataTransfer()
    data.items.add(new File([content], 'hostile.json', { type: 'application/json' }))
    const event = { bubbles: true, cancelable: true, dataTransfer: data }
    for (const kind of ['dragenter', 'drop']) document.body.dispatchEvent(new DragEvent(kind, event))
  }, JSON.stringify(file))
  await expect(visit.part('chats-notice')).toHaveText(
    '1 chat imported. 1 picture left out, being damaged or missing.',
  )
  await expect(visit.asked).toHaveText(owned)
  await expect(visit.part('chat-row').locator('.title')).toHaveText(owned)
  await expect(page.locator('main img, aside img')).toHaveCount(0)
  await expect(page).toHaveTitle('Trilobite')
})

test('a browser that keeps nothing, or is full, is told of, and the chat goes on', async ({ visit }) => {
  const { page } = visit
  await playEngine(page)
  await page.addInitScript(() => {
    const { open } = IDBFactory.prototype
    IDBFactory.prototype.open = function (...given) {
      if (given[0] === 'trilobite') throw new DOMException('denied', 'SecurityError')
      return open.apply(this, given)
    }
  })
  await visit.openReady()
  await expect(visit.part('chats-problem')).toContainText('The browser keeps no chats for this page')
  await visit.send('What is this?')
  await visit.untilAnswered('stop', 1)
  await visit.newChat()
  await row(visit, 'What is this?').getByTestId('chat-open').click()
  await expect(visit.text()).toHaveText('There are three shapes.')

  const other = await visit.beside()
  await playEngine(other.page)
  await other.page.addInitScript(() => {
    const { put } = IDBObjectStore.prototype
    IDBObjectStore.prototype.put = function (...given) {
      if ((globalThis as { isFull?: boolean }).isFull) throw new DOMException('full', 'QuotaExceededError')
      return put.apply(this, given)
    }
  })
  await other.openReady()
  await other.page.evaluate(() => Object.assign(globalThis, { isFull: true }))
  await other.send('A full question', bird.path)
  await other.untilAnswered('stop', 1)
  await expect(other.part('chats-problem')).toContainText('storage is full')
  await other.newChat()
  await expect(row(other, 'A full question')).toContainText('not kept')
  await row(other, 'A full question').getByTestId('chat-open').click()
  await expect(other.text()).toHaveText('There are three shapes.')
  await expect(other.part('thumbnail').getByRole('img')).toHaveJSProperty('naturalWidth', 256)
  await other.page.evaluate(() => Object.assign(globalThis, { isFull: false }))
  await other.send('Another question')
  await other.untilAnswered('stop', 2)
  await expect(other.part('chats-problem')).toBeHidden()
  await expect(row(other, 'A full question')).not.toContainText('not kept')
})

test('the list of chats as it looks', async ({ visit }) => {
  const { page } = visit
  await playEngine(page)
  await visit.open()
  const day = 86_400_000
  const questions = [
    'What is on this picture?',
    'Describe the two shapes and where they stand, and tell which of them is the larger one',
    '红色的圆在哪里?',
    'ما الذي في الصورة؟',
    'How many?',
  ]
  await keepChats(
    page,
    Array.from({ length: 24 }, (_, i) =>
      chatOf(
        `${i}`,
        `${questions[i % questions.length]!} ${i + 1}`,
        'There is a large red circle in the middle.',
        Date.now() - i * 20 * day,
      ),
    ),
  )
  await page.reload()
  await page.setViewportSize({ width: 390, height: 844 })
  await visit.part('toggle-chats').click()
  await visit.part('chats-search').fill('red circle')
  await choose(visit, 'chat-delete', 'How many? 5')
  await look(visit, 'chats')
})
