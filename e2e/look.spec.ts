import type { Locator } from '@playwright/test'
import { fileURLToPath } from 'node:url'
import { expect, test } from './support/fixtures'
import { visitHub } from './support/hub'
import { look } from './support/look'
import { sample } from './support/samples'
import { ANSWER_MS, type Visit } from './support/visit'

/** Wider than high, so that towers see bars above and below. */
const picture = fileURLToPath(new URL('golden/original/cambrian-phi3/image-wide.png', import.meta.url))

/** What a canvas shows, and how many colours. */
const drawn = (canvas: Locator) =>
  canvas.evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!
    copy.drawImage(element as HTMLCanvasElement, 0, 0)
    const pixels = new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)
    const sum = pixels.reduce((sum, pixel) => (sum * 31 + pixel) % 2147483647, 7)
    return { sum, colours: new Set(pixels).size }
  })

const word = (chat: Visit, text: string) => chat.text().getByRole('button', { name: text, exact: true })
const chosen = (chat: Visit) => chat.text().locator('[aria-pressed=true]')
const told = (chat: Visit) => chat.part('look-words')

async function askAndLook(chat: Visit, start = '09') {
  const { turns, path } = sample(start)
  const { reply } = await chat.ask(turns[0]!.question, path)
  await expect(chat.text()).toHaveText(turns[0]!.reply)
  await chat.part('look').click()
  await expect(chat.part('look-map')).toBeVisible()
  return { reply, turns }
}

test('the words of an answer show where each looked', async ({ chat }) => {
  const { turns } = await askAndLook(chat)
  const map = chat.part('look-map')
  await expect(told(chat)).toContainText('of its attention is on the picture')
  // The text is the same as before, its words now buttons.
  await expect(chat.text()).toHaveText(turns[0]!.reply)
  const first = await drawn(map)
  expect(first.colours).toBeGreaterThan(20)

  const words = await chat.text().getByRole('button').allTextContents()
  expect(words.length).toBeGreaterThan(3)
  const other = (await chosen(chat).textContent()) === words[1] ? words[0]! : words[1]!
  await word(chat, other).first().click()
  await expect(chosen(chat)).toHaveText(other)
  await expect(told(chat)).toContainText(`“${other}”`)
  expect((await drawn(map)).sum).not.toBe(first.sum)

  await look(chat, 'look-words')
  await chat.part('look').click()
  await expect(chat.part('look-panel')).toHaveCount(0)
  await expect(chat.text().getByRole('button')).toHaveCount(0)
  await expect(chat.text()).toHaveText(turns[0]!.reply)
})

test('works by keyboard alone', async ({ chat }) => {
  const { turns, path } = sample('09')
  await chat.ask(turns[0]!.question, path)
  const { page } = chat
  await chat.part('look').focus()
  await page.keyboard.press('Enter')
  await expect(chat.part('look-map')).toBeVisible()
  await chosen(chat).focus()
  const words = await chat.text().getByRole('button').allTextContents()
  await page.keyboard.press('Home')
  await expect(chosen(chat)).toBeFocused()
  await expect(chosen(chat)).toHaveText(words[0]!)
  await expect(told(chat)).toContainText(`“${words[0]!}”`)
  const before = await drawn(chat.part('look-map'))
  await page.keyboard.press('ArrowRight')
  await expect(chosen(chat)).toHaveText(words[1]!)
  await expect(chosen(chat)).toBeFocused()
  await expect(told(chat)).toContainText(`“${words[1]!}”`)
  expect((await drawn(chat.part('look-map'))).sum).not.toBe(before.sum)
  // One word alone takes part in the tab order.
  expect(await chat.text().locator('[tabindex="0"]').count()).toBe(1)
  await page.keyboard.press('End')
  await expect(chosen(chat)).toHaveText(words.at(-1)!)

  await chat.part('look-panel').getByRole('button', { name: 'Close' }).focus()
  await page.keyboard.press('Enter')
  await expect(chat.part('look-panel')).toHaveCount(0)
  await expect(chat.part('look')).toBeFocused()
})

test('looking leaves the chat as it was; older answers say why they cannot be looked into', async ({
  chat,
}) => {
  const { turns } = await askAndLook(chat)
  expect(turns.length).toBeGreaterThan(1)
  const { reply } = await chat.ask(turns[1]!.question)
  // As PyTorch answers, from the same cache.
  expect(reply.tokenIds).toEqual(turns[1]!.generated_ids)
  expect(reply.reusedTokens).toBeGreaterThan(0)
  await expect(chat.part('look-panel')).toHaveCount(0)

  const [older, newer] = [chat.part('look').first(), chat.part('look').last()]
  await older.click()
  await expect(chat.part('look-why')).toContainText('Only the newest answer')
  await expect(chat.part('look-panel')).toHaveCount(0)
  await look(chat, 'look-older')
  await newer.click()
  // The picture came with the first question.
  await expect(chat.part('look-map')).toHaveCount(1)
})

test('an answer about no picture has nothing to look at', async ({ chat }) => {
  await chat.ask('Hello')
  await expect(chat.part('look')).toHaveCount(0)
})

test(
  'of several towers, the plan says which stay, and each cell tells its shares',
  { tag: '@whole' },
  async ({ visit, baseURL }) => {
    const { page } = visit
    await visitHub(page, baseURL!, 'cambrian-phi3')
    await visit.open()
    await visit.part('screen-models').click()
    const towers = visit.part('plan-towers').locator('tbody tr')
    await expect(towers).toHaveCount(4)
    await expect(visit.part('plan-towers')).not.toContainText('fetched')
    // Room for less than all of them.
    await visit.part('gpu-memory').fill('0.001')
    await visit.part('gpu-memory').press('Tab')
    await expect(visit.part('plan-towers')).toContainText('for each question with new pictures')
    const planned = await towers.filter({ hasText: 'fetched' }).locator('th').allTextContents()
    expect(planned.length).toBeGreaterThan(0)
    await look(visit, 'plan-towers')

    await visit.part('load-button').click()
    await visit.untilReady()
    await visit.send('What is shown in this image?', picture)
    await expect(visit.answers.last()).toHaveAttribute('data-phase', /stop|length/, { timeout: ANSWER_MS })
    const { events } = await visit.lastTurn()
    // What was planned is what came, each tower in turn.
    const fetched = events.flatMap((event) => (event.type === 'tower' ? [event.name] : []))
    expect([...new Set(fetched)]).toEqual(planned)

    await visit.part('look').click()
    await expect(visit.part('look-map')).toBeVisible()
    await visit.part('look-words-tab').focus()
    await page.keyboard.press('ArrowRight')
    await expect(visit.part('look-towers-tab')).toBeFocused()
    await expect(visit.part('look-tower')).toHaveCount(4)
    const map = visit.part('look-map')
    await expect(map).toBeVisible()
    const mixed = await drawn(map)
    await visit.part('look-tower').nth(1).click()
    await expect.poll(async () => (await drawn(map)).sum).not.toBe(mixed.sum)

    await visit.part('look-cells').focus()
    await expect(told(visit)).toHaveText(
      /^Row 1, column 1: siglip.* \d.*%, .*clip.*%, .*dinov2.*%, .*convnext.*%$/,
    )
    const first = await told(visit).textContent()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowRight')
    await expect(told(visit)).toContainText('Row 2, column 2:')
    expect((await told(visit).textContent())!.slice(16)).not.toBe(first!.slice(16))
    await look(visit, 'look-towers')
    // Optional files that repositories do not hold.
    visit.offences.forgive(/404/)
  },
)
