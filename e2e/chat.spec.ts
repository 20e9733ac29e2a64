import type { AskEvent } from '../src/worker/api'
import { expect, test } from './support/fixtures'
import { unmet } from './support/pictures'
import { collapsed, sample } from './support/samples'
import { ANSWER_MS, type Visit } from './support/visit'

/** Eight rows of eight cells and a newline. */
const IMAGE_TOKENS = 72
const scene = sample('08')
const bird = sample('01')
const digit = sample('06')
/** Sentences of twenty tokens: long enough to be met half-way. */
const long = scene.turns[0]!

/** Of each picture whether it was encoded before. */
function encodings(events: AskEvent[]): boolean[] {
  const first = events.find((event) => event.type === 'encoding')
  return Array.from({ length: first?.images ?? 0 }, (_, i) => i < first!.cached)
}

test('an answer streams, and screen readers hear its start and end alone', async ({ chat }) => {
  const { page } = chat
  await expect(page.getByRole('log')).toHaveCount(0)
  await page.evaluate(() => {
    const seen = { texts: [] as string[], said: [] as string[] }
    Object.assign(globalThis, { seen })
    const keep = (list: string[], text: string | null | undefined) => {
      if (text && text !== list.at(-1)) list.push(text)
    }
    const announcer = document.querySelector('[data-testid=announcer]')!
    new MutationObserver(() => {
      keep(seen.texts, document.querySelector('[data-testid=message-assistant] .text')?.textContent.trim())
    }).observe(document.body, { subtree: true, childList: true, characterData: true })
    new MutationObserver(() => keep(seen.said, announcer.textContent)).observe(announcer, {
      subtree: true,
      childList: true,
      characterData: true,
    })
  })
  const { reply } = await chat.ask(long.question, scene.path)

  const { texts, said } = await page.evaluate(
    () => (globalThis as unknown as { seen: { texts: string[]; said: string[] } }).seen,
  )
  expect(texts.length).toBeGreaterThan(4)
  for (const [i, text] of texts.entries()) {
    expect(long.reply.startsWith(text), text).toBe(true)
    expect(text.length).toBeGreaterThan(texts[i - 1]?.length ?? 0)
  }
  expect(texts.at(-1)).toBe(long.reply)
  expect(said).toEqual(['Generating', 'Answer complete'])
  // The log would read out every change of an answer by itself.
  await expect(page.getByRole('log')).toHaveAttribute('aria-live', 'off')
  await expect(page.getByRole('status')).toHaveCount(1)

  const stats = chat.part('stats')
  await expect(stats).toContainText(`${reply.tokenIds.length} tokens`)
  await expect(stats).toContainText('tokens/s')
  await expect(stats).toContainText(/first after [\d.]+ m?s/)
})

for (const how of ['stop', 'escape'] as const) {
  test(`${how} ends an answer at once and keeps its text; regenerate gives all of it`, async ({ chat }) => {
    await chat.atFirstText(how)
    await chat.send(long.question, scene.path)
    await chat.untilAnswered('aborted')

    const { reply } = await chat.lastTurn()
    expect(reply.finish).toBe('aborted')
    expect(reply.tokenIds.length).toBeLessThan(long.generated_ids.length)
    expect(long.generated_ids.slice(0, reply.tokenIds.length)).toEqual(reply.tokenIds)
    const text = (await chat.text().innerText()).trim()
    expect(text).not.toBe('')
    expect(text).not.toBe(long.reply)
    expect(long.reply.startsWith(text)).toBe(true)
    await expect(chat.answers.last()).toContainText('Stopped.')
    await expect(chat.part('announcer')).toHaveText('Answer stopped')

    await chat.forget()
    await chat.part('regenerate').click()
    await chat.untilAnswered('stop', 1)
    const again = await chat.lastTurn()
    expect(again.reply.tokenIds).toEqual(long.generated_ids)
    expect(encodings(again.events)).toEqual([true])
    expect(again.reply.reusedTokens).toBeGreaterThan(IMAGE_TOKENS)
    await expect(chat.text()).toHaveText(long.reply)
  })
}

test('a follow-up reuses the picture and the cache', async ({ chat }) => {
  const first = await chat.ask(bird.turns[0]!.question, unmet(bird.path, 'follow-up'))
  expect(first.reply.imageTokens).toBe(IMAGE_TOKENS)
  expect(encodings(first.events)).toEqual([false])

  for (const turn of bird.turns.slice(1)) {
    const { reply, events } = await chat.ask(turn.question)
    expect(reply.tokenIds).toEqual(turn.generated_ids)
    expect(encodings(events)).toEqual([true])
    expect(reply.reusedTokens).toBeGreaterThan(IMAGE_TOKENS)
    expect(events.find(({ type }) => type === 'prefill')).toMatchObject({ reusedTokens: reply.reusedTokens })
    await expect(chat.answers.last().getByTestId('stats')).toContainText(`${reply.reusedTokens} reused`)
  }
})

test('a second picture in the same chat is encoded alone', async ({ chat }) => {
  await chat.ask(bird.turns[0]!.question, bird.path)
  const { reply, events } = await chat.ask(digit.turns[0]!.question, unmet(digit.path, 'second'))
  expect(encodings(events)).toEqual([true, false])
  expect(reply.imageTokens).toBe(2 * IMAGE_TOKENS)
  expect(reply.reusedTokens).toBeGreaterThan(IMAGE_TOKENS)
  expect(reply.finish).toBe('stop')
  await expect(chat.text()).not.toBeEmpty()
  await expect(chat.questions.last().getByTestId('thumbnail')).toHaveCount(1)

  await chat.part('thumbnail').last().click()
  await expect(chat.part('lightbox')).toBeVisible()
  await chat.page.keyboard.press('Escape')
  await expect(chat.part('lightbox')).toBeHidden()
})

test('an edited question replaces what followed it', async ({ chat }) => {
  const [first, second] = sample('02').turns
  await chat.ask('What is this?', sample('02').path)
  await chat.ask(second!.question)
  await expect(chat.questions).toHaveCount(2)

  await chat.questions.first().getByTestId('edit').click()
  await expect(chat.part('edit-field')).toBeFocused()
  await chat.part('edit-field').fill(first!.question)
  await chat.forget()
  await chat.part('resend').click()
  await chat.untilAnswered('stop', 1)
  await expect(chat.asked).toHaveText([first!.question])
  const { reply, events } = await chat.lastTurn()
  expect(collapsed(reply.promptTokenIds)).toEqual(first!.input_ids)
  expect(reply.tokenIds).toEqual(first!.generated_ids)
  expect(encodings(events)).toEqual([true])
})

test('a new chat in mid-answer starts from nothing, and the answer goes on in its own', async ({ chat }) => {
  await chat.atFirstText('new-chat')
  await chat.send(long.question, scene.path)
  await expect(chat.part('answering-elsewhere')).toContainText(long.question, { timeout: ANSWER_MS })
  await expect(chat.part('example').first()).toBeVisible()
  await expect(chat.engine('ready')).toBeVisible({ timeout: ANSWER_MS })
  await expect(chat.part('answering-elsewhere')).toBeHidden()
  await expect(chat.answers).toHaveCount(0)
  expect((await chat.lastTurn()).reply.tokenIds).toEqual(long.generated_ids)

  const { reply } = await chat.ask(digit.turns[0]!.question, digit.path)
  expect(collapsed(reply.promptTokenIds)).toEqual(digit.turns[0]!.input_ids)
  expect(reply.tokenIds).toEqual(digit.turns[0]!.generated_ids)

  // Back in the first, the engine knows its picture, and what it holds of the other is not taken for it.
  await chat.part('chat-open').filter({ hasText: long.question }).first().click()
  await expect(chat.text()).toHaveText(long.reply)
  await chat.forget()
  await chat.part('regenerate').click()
  await chat.untilAnswered('stop', 1)
  const again = await chat.lastTurn()
  expect(again.reply.tokenIds).toEqual(long.generated_ids)
  expect(encodings(again.events)).toEqual([true])
})

test('settings reach the engine: length, temperature and seed', async ({ chat }) => {
  await set(chat, { 'Longest answer, tokens': 3 })
  await chat.send(long.question, scene.path)
  await chat.untilAnswered('length')
  expect((await chat.lastTurn()).reply.tokenIds).toEqual(long.generated_ids.slice(0, 3))
  await expect(chat.answers.last()).toContainText('Cut off at the answer limit')

  await chat.newChat()
  await set(chat, { 'Longest answer, tokens': 8, Temperature: 2, Seed: 7 })
  const sampled: number[][] = []
  for (const seed of [7, 7, 8]) {
    await set(chat, { Seed: seed })
    await chat.newChat()
    await chat.send('Hello!')
    await expect(chat.answers.last()).toHaveAttribute('data-phase', /stop|length/, { timeout: ANSWER_MS })
    sampled.push((await chat.lastTurn()).reply.tokenIds)
  }
  expect(sampled[1]).toEqual(sampled[0])
  expect(sampled[2]).not.toEqual(sampled[0])
  await expect(chat.part('stats')).toHaveAttribute('title', /temperature 2, .*seed 8/)

  await chat.part('open-settings').click()
  await chat.page.getByRole('button', { name: 'Back to defaults' }).click()
  await chat.page.getByRole('button', { name: 'Close settings' }).click()
})

/** Writes into the settings by their labels, as a visitor does. */
async function set(chat: Visit, values: Record<string, number>) {
  await chat.part('open-settings').click()
  const settings = chat.part('settings')
  if ('Seed' in values) await chat.part('random-seed').uncheck()
  for (const [label, value] of Object.entries(values)) {
    const field = settings.getByRole('spinbutton', { name: label, exact: true })
    await field.fill(String(value))
    await field.blur()
  }
  await settings.getByRole('button', { name: 'Close settings' }).click()
  await expect(settings).toBeHidden()
}

test('a chat longer than the context is told so and survives', async ({ chat }) => {
  await chat.ask(digit.turns[0]!.question, digit.path)
  await chat.send('many words '.repeat(700))
  await chat.untilAnswered('failed', 2)
  await expect(chat.answers.last()).toContainText('longer than the model’s context')
  await expect(chat.answers.last().getByTestId('remedy-new-chat')).toBeVisible()

  await chat.questions.last().getByTestId('edit').click()
  await chat.part('edit-field').fill(digit.turns[1]!.question)
  await chat.forget()
  await chat.part('resend').click()
  await chat.untilAnswered('stop', 2)
  expect((await chat.lastTurn()).reply.tokenIds).toEqual(digit.turns[1]!.generated_ids)
})

test('answers and questions are copied', async ({ chat }) => {
  await chat.context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await chat.ask('Hello!')
  await chat.answers.last().getByTestId('copy').click()
  await expect(chat.answers.last().getByTestId('copy')).toHaveAccessibleName('Copied')
  const copied = await chat.page.evaluate(() => navigator.clipboard.readText())
  expect(copied).toBe((await chat.lastTurn()).reply.text)
})

test('the end of a chat stays in sight while the composer grows', async ({ chat }) => {
  await chat.page.setViewportSize({ width: 390, height: 500 })
  await chat.ask(bird.turns[0]!.question, bird.path)
  await chat.ask(bird.turns[1]!.question)
  await chat.part('composer').fill('one\ntwo\nthree\nfour\nfive')
  await chat.attach(digit.path)
  await expect(chat.part('thumbnail')).toHaveCount(2)
  const room = async () => {
    const answer = await chat.text().boundingBox()
    const composer = await chat.page.locator('.composer').boundingBox()
    return composer!.y - (answer!.y + answer!.height)
  }
  await expect.poll(room).toBeGreaterThanOrEqual(0)

  // A reader who has gone up is left there.
  await chat.page.getByRole('heading', { name: 'You' }).first().scrollIntoViewIfNeeded()
  await expect(chat.page.getByRole('button', { name: 'To the end' })).toBeVisible()
  await chat.part('remove-picture').click()
  await chat.part('composer').fill('')
  await expect(chat.page.getByRole('button', { name: 'To the end' })).toBeVisible()
  await chat.page.getByRole('button', { name: 'To the end' }).click()
  await expect.poll(room).toBeGreaterThanOrEqual(0)
  await chat.page.setViewportSize({ width: 1280, height: 800 })
})
