import { describe, expect, test } from 'vitest'
import { sha256 } from '../chat/pictures'
import { ArchiveError, grouped, readArchive, writeArchive } from './archive'
import type { SavedEntry, StoredChat } from './record'

const PNG = new Uint8Array([...'\x89PNG\r\n\x1a\n'].map((c) => c.charCodeAt(0)).concat(0, 1, 2, 253, 254))
const id = await sha256(PNG)

const stats = {
  model: 'tiny',
  tokens: 2,
  promptTokens: 9,
  imageTokens: 0,
  reusedTokens: 3,
  firstTokenMs: 5,
  tokensPerSecond: 7.5,
  sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 3 },
}

const answer: SavedEntry = {
  role: 'assistant',
  id: 'a',
  text: '<img src=x onerror=alert(1)>',
  phase: 'stop',
  stats,
}
const entries: SavedEntry[] = [
  { role: 'user', id: 'q', text: 'What is\n“it”?', pictures: [{ id, name: 'a.png' }] },
  answer,
]

const chat: StoredChat = {
  head: {
    id: 'one',
    title: 'Frogs',
    isTitleGiven: true,
    model: 'tiny',
    createdAt: Date.UTC(2026, 0, 1),
    changedAt: Date.UTC(2026, 0, 2),
    revision: 7,
    pictures: [id],
  },
  entries,
  pictures: new Map([[id, new Blob([PNG], { type: 'image/png' })]]),
}

const fileOf = (value: unknown) => new Blob([typeof value === 'string' ? value : JSON.stringify(value)])
const archive = (chats: unknown[], pictures: unknown[] = []) => ({
  format: 'trilobite-chats',
  version: 1,
  chats,
  pictures,
})
const plain = (given: object = {}) => ({
  title: 'T',
  createdAt: '2026-01-01T00:00:00.000Z',
  changedAt: '2026-01-01T00:00:00.000Z',
  entries: [{ role: 'user', text: 'Hello', pictures: [] }],
  ...given,
})
const asked = (given: object) => plain({ entries: [{ role: 'user', text: 'Hello', pictures: [], ...given }] })
const answered = (given: object) =>
  plain({ entries: [{ role: 'assistant', text: 'Hello', phase: 'stop', ...given }] })
const refusal = (file: Blob) =>
  readArchive(file).then(
    () => 'taken',
    (error: ArchiveError) => `${error.reason} ${error.where}`.trim(),
  )

test('what is written is read again, as chats of new ids', async () => {
  const { chats, picturesLeftOut } = await readArchive(await writeArchive([chat, chat]))
  expect([chats.length, picturesLeftOut]).toEqual([2, 0])
  for (const copy of chats) {
    expect(copy.head).toEqual({ ...chat.head, id: expect.any(String), revision: 1 })
    const texts = (list: SavedEntry[]) => list.map(({ id: _, ...entry }) => entry)
    expect(texts(copy.entries)).toEqual(texts(entries))
    expect(copy.entries.map(({ id }) => id)).not.toEqual(['q', 'a'])
    const picture = copy.pictures.get(id)!
    expect(picture.type).toBe('image/png')
    expect(new Uint8Array(await picture.arrayBuffer())).toEqual(PNG)
  }
  expect(chats[0]!.head.id).not.toBe(chats[1]!.head.id)
})

test('nothing else that the page knows gets into a file', async () => {
  const secret = 'hf_secret'
  const leaky = {
    ...chat,
    head: { ...chat.head, token: secret },
    entries: [
      { ...entries[0]!, token: secret },
      {
        ...entries[1]!,
        stats: { ...stats, token: secret, sampling: { ...stats.sampling, token: secret } },
        notices: [secret],
        problem: { name: 'NetworkError', title: '', advice: '', detail: secret, remedies: [] },
      },
    ] as unknown as SavedEntry[],
  }
  expect(await (await writeArchive([leaky])).text()).not.toContain(secret)
})

test('numbers that are none, or that an older page did not keep, do not spoil a file', async () => {
  const old = { model: 'tiny', tokens: 2, tokensPerSecond: Infinity } as typeof stats
  const { chats } = await readArchive(await writeArchive([{ ...chat, entries: [{ ...answer, stats: old }] }]))
  expect(chats[0]!.entries[0]).toMatchObject({
    stats: { tokens: 2, tokensPerSecond: 0, sampling: { seed: 0 } },
  })
})

test('a picture of any length survives', async () => {
  for (const length of [24_575, 24_576, 24_577, 100_000]) {
    const bytes = new Uint8Array(length).map((_, i) => (i < PNG.length ? PNG[i]! : i * 7))
    const own = await sha256(bytes)
    const large: StoredChat = {
      ...chat,
      entries: [{ role: 'user', id: 'q', text: 'x', pictures: [{ id: own, name: 'x' }] }],
      pictures: new Map([[own, new Blob([bytes], { type: 'image/png' })]]),
    }
    const { chats } = await readArchive(await writeArchive([large]))
    expect([...chats[0]!.pictures.keys()]).toEqual([own])
  }
})

test('chats with more pictures than a file should hold lie in several', () => {
  const chats = [['a'], ['a', 'b'], ['c'], [], ['d', 'e', 'f']]
  const groups = (most: number) =>
    grouped(
      chats,
      (pictures) => pictures,
      () => 10,
      most,
    )
  expect(groups(1000)).toEqual([chats])
  expect(groups(20)).toEqual([chats.slice(0, 2), chats.slice(2, 4), chats.slice(4)])
})

describe('a file that is no archive is refused', () => {
  test.each([
    ['', 'notJson'],
    ['{"format":', 'notJson'],
    ['\x89PNG\r\n', 'notJson'],
    ['7', 'damaged'],
    ['null', 'damaged'],
    ['[]', 'damaged'],
    ['{}', 'otherFormat'],
    ['{"__proto__":{"format":"trilobite-chats","version":1,"chats":[],"pictures":[]}}', 'otherFormat'],
    [{ ...archive([]), format: 'other' }, 'otherFormat'],
    [{ ...archive([]), version: 2 }, 'newer'],
    [{ ...archive([]), version: '1' }, 'damaged version'],
    [{ ...archive([]), chats: { length: 1e9 } }, 'damaged chats'],
    [archive([null]), 'damaged chats[0]'],
    [archive([plain(), plain({ title: 7 })]), 'damaged chats[1].title'],
    [archive([plain({ createdAt: 'tomorrow' })]), 'damaged chats[0].createdAt'],
    [archive([plain({ changedAt: {} })]), 'damaged chats[0].changedAt'],
    [archive([plain({ entries: 'none' })]), 'damaged chats[0].entries'],
    [archive([asked({ role: 'system' })]), 'damaged chats[0].entries[0].role'],
    [archive([asked({ text: ['<b>'] })]), 'damaged chats[0].entries[0].text'],
    [archive([asked({ text: 'x'.repeat(2e6 + 1) })]), 'damaged chats[0].entries[0].text'],
    [archive([asked({ pictures: [7] })]), 'damaged chats[0].entries[0].pictures[0]'],
    [archive([answered({ stats: { ...stats, tokens: '2' } })]), 'damaged chats[0].entries[0].stats.tokens'],
    [archive([answered({ stats: null })]), 'damaged chats[0].entries[0].stats'],
    [archive([], [{ id: 'x', data: 7 }]), 'damaged pictures[0].data'],
  ])('%#', async (value, reason) => expect(await refusal(fileOf(value))).toBe(reason))

  test('before it is read where it is huge', async () => {
    const huge = { size: 401e6 } as Blob
    expect(await refusal(huge)).toBe('tooLarge')
  })

  test.each([
    ['deep lists', () => '['.repeat(5e6)],
    ['deep objects', () => '{"a":'.repeat(1e6)],
    ['values without end', () => `[${'[],'.repeat(2.6e6)}]`],
  ])('within seconds where it has %s', async (_, write) => {
    const file = new Blob([write()])
    const started = performance.now()
    expect(await refusal(file)).toBe('damaged')
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('but brackets in texts are texts', async () => {
    const text = `${'['.repeat(100)}"\\${'{'.repeat(100)}`
    const { chats } = await readArchive(fileOf(archive([asked({ text })])))
    expect(chats[0]!.entries[0]!.text).toBe(text)
  })
})

test('fields that nobody knows are left behind', async () => {
  const file = `{"format":"trilobite-chats","version":1,"pictures":[],"chats":[{
    "__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"id":"one",
    "title":"T","createdAt":"2026-01-01","changedAt":"9999-01-01","revision":99,
    "entries":[{"role":"assistant","text":"x","phase":"streaming","id":"e","problem":{"title":"<b>"}}]}]}`
  const [{ head, entries }] = (await readArchive(fileOf(file))).chats as [StoredChat]
  expect(Object.keys(head).sort()).toEqual(Object.keys(chat.head).sort())
  expect(head.id).not.toBe('one')
  expect(head.revision).toBe(1)
  expect(head.changedAt).toBeLessThanOrEqual(Date.now())
  expect(entries).toEqual([
    { role: 'assistant', id: expect.any(String), text: 'x', phase: 'interrupted', stats: undefined },
  ])
  expect('polluted' in {}).toBe(false)
})

test('pictures that are none are left out, and ids are those of the bytes', async () => {
  const data = btoa(String.fromCharCode(...PNG))
  const html = btoa('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
  const pictures = ['good', 'svg', 'broken', '__proto__'].map((id) => ({ id, name: '<b>.png' }))
  const file = archive(
    [asked({ pictures: [...pictures, { id: 'good', name: 'again' }, { id: 'gone', name: '' }] })],
    [
      { id: 'good', type: 'text/html', data },
      { id: 'svg', type: 'image/png', data: html },
      { id: 'broken', type: 'image/png', data: '%%%' },
    ],
  )
  const { chats, picturesLeftOut } = await readArchive(fileOf(file))
  expect(picturesLeftOut).toBe(4)
  expect(chats[0]!.entries[0]).toMatchObject({ pictures: [{ id, name: 'again' }] })
  expect(chats[0]!.head.pictures).toEqual([id])
  expect(chats[0]!.pictures.get(id)!.type).toBe('image/png')
})

test('chats in which nothing was said are none', async () => {
  expect((await readArchive(fileOf(archive([plain({ entries: [] }), plain()])))).chats).toHaveLength(1)
})
