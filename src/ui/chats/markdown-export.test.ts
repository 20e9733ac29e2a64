import { expect, test } from 'vitest'
import { fileName, markdownFiles } from './markdown-export'
import type { StoredChat } from './record'

const wording = { you: 'You', untitled: 'Untitled', locale: 'en' }

const chat = (title: string, pictures: Record<string, string> = {}): StoredChat => ({
  head: {
    id: 'a',
    title,
    isTitleGiven: true,
    model: 'tiny',
    createdAt: 0,
    changedAt: new Date(2026, 0, 5, 12).getTime(),
    revision: 1,
    pictures: Object.keys(pictures),
  },
  entries: [
    {
      role: 'user',
      id: 'q',
      text: 'What is it?',
      pictures: Object.keys(pictures).map((id) => ({ id, name: `a [${id}].png` })),
    },
    { role: 'assistant', id: 'a', text: 'A *frog*.', phase: 'stop' },
  ],
  pictures: new Map(
    Object.entries(pictures).map(([id, text]) => [id, new Blob([text], { type: 'image/png' })]),
  ),
})

test('a chat is a Markdown file with its pictures beside', async () => {
  const id = '0123456789abcdef0123'
  const [text, picture] = await markdownFiles([chat('Frogs & <toads>', { [id]: 'png' })], wording)
  expect(text!.path).toBe('Frogs toads.md')
  expect(new TextDecoder().decode(text!.bytes)).toBe(
    `# Frogs & \\<toads\\>

January 5, 2026 at 12:00 PM · tiny

## You

![a \\[0123456789abcdef0123\\].png](pictures/0123456789abcdef.png)

What is it?

## Trilobite

A *frog*.
`,
  )
  expect(picture!.path).toBe('pictures/0123456789abcdef.png')
  expect(new TextDecoder().decode(picture!.bytes)).toBe('png')
})

test('files of several chats never share a name, and pictures are there once', async () => {
  const chats = [chat('Frog', { p: '1' }), chat('frog', { p: '1' }), chat('???'), chat('')]
  const files = await markdownFiles(chats, wording)
  expect(files.map(({ path }) => path)).toEqual([
    'Frog.md',
    'pictures/p.png',
    'frog 2.md',
    'chat.md',
    'Untitled.md',
  ])
})

test.each([
  ['../../etc/passwd', 'etc passwd'],
  ['红色的圆', '红色的圆'],
  ['a\\b:c*d?"e"', 'a b c d e'],
  ['.hidden. ', 'hidden'],
  ['x'.repeat(100), 'x'.repeat(60)],
])('the file of %j is called %j', (title, name) => expect(fileName(title)).toBe(name))
