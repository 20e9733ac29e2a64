import { fileURLToPath } from 'node:url'
import { expect, test } from './support/fixtures'
import { bring, damaged, truncated } from './support/pictures'
import { collapsed, sample } from './support/samples'

const digit = sample('06')
const question = digit.turns[0]!

for (const [what, file, sentence] of [
  ['a text file called .png', damaged.text, 'notes.png is not a PNG, JPEG, WebP or GIF picture.'],
  ['an SVG', damaged.svg, 'drawing.svg is not a PNG, JPEG, WebP or GIF picture.'],
  ['an empty file', damaged.empty, 'empty.png is empty.'],
  ['a truncated PNG', truncated(sample('11').path, 0.5), 'half.png cannot be decoded; it may be damaged.'],
] as const) {
  test(`${what} is refused by a sentence, and the next picture is taken`, async ({ chat }) => {
    await chat.attach(file)
    await expect(chat.part('composer-notice')).toContainText(sentence)
    await expect(chat.part('thumbnail')).toHaveCount(0)

    await chat.attach(digit.path)
    await expect(chat.part('composer-notice')).toBeHidden()
    await expect(chat.part('thumbnail')).toHaveCount(1)
    await chat.part('remove-picture').click()
    await expect(chat.part('thumbnail')).toHaveCount(0)
  })
}

test('among several files the good ones are taken, and one picture only once', async ({ chat }) => {
  await chat.attach(digit.path, damaged.text, digit.path, sample('01').path)
  await expect(chat.part('composer-notice')).toContainText('notes.png')
  await expect(chat.part('thumbnail')).toHaveCount(2)
  for (let left = 1; left >= 0; left--) {
    await chat.part('remove-picture').first().click()
    await expect(chat.part('thumbnail')).toHaveCount(left)
  }
})

for (const how of ['drop', 'paste'] as const) {
  test(`a picture comes by ${how} and is answered`, async ({ chat }) => {
    await bring(chat.page, how, digit.path, 'image/png')
    await expect(chat.part('thumbnail')).toHaveCount(1)
    const { reply } = await chat.ask(question.question)
    expect(collapsed(reply.promptTokenIds)).toEqual(question.input_ids)
    expect(reply.tokenIds).toEqual(question.generated_ids)
    await expect(chat.questions.first().getByTestId('thumbnail')).toHaveCount(1)
  })
}

test('an example is asked by one click', async ({ chat }) => {
  const example = chat.part('example').first()
  const asked = await example.innerText()
  await example.click()
  await chat.untilAnswered('stop', 1)
  await expect(chat.asked).toHaveText(asked)
  await expect(chat.text()).toContainText('light blue background')
})

// Which values each decoder gives is tested in Node; this shows that all of them load in a worker.
test('WebP, GIF and turned JPEG files are read', async ({ chat }) => {
  const folder = fileURLToPath(new URL('../src/model/image/golden/decode/', import.meta.url))
  for (const name of ['lossless-alpha.webp', 'animated.gif', 'orientation-6.jpg']) {
    const { reply, events } = await chat.ask('What is this?', folder + name)
    expect(events.at(0)).toMatchObject({ type: 'encoding' })
    expect(reply.finish, name).toBe('stop')
    await chat.newChat()
  }
})
