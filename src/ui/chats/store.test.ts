import * as fake from 'fake-indexeddb'
import { openDB } from 'idb'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { openIndexedDb } from './indexed-db-store'
import { memoryStore } from './memory-store'
import type { SavedEntry } from './record'
import { ChatConflictError, type ChatChange } from './store'

// fake-indexeddb clones by Node's structuredClone, which takes blobs for plain objects: bytes stand for them here. The
// browser tests keep real ones.
const blob = (text: string) => new TextEncoder().encode(text) as unknown as Blob

beforeEach(() => {
  for (const [name, value] of Object.entries(fake)) if (name.startsWith('IDB')) vi.stubGlobal(name, value)
  vi.stubGlobal('indexedDB', new fake.IDBFactory())
})

const question = (text: string, ...pictures: string[]): SavedEntry => ({
  role: 'user',
  id: crypto.randomUUID(),
  text,
  pictures: pictures.map((id) => ({ id, name: `${id}.png` })),
})

function change(id: string, text: string, ...pictures: string[]): ChatChange {
  return {
    id,
    title: text,
    model: 'tiny',
    entries: [question(text, ...pictures)],
    pictures: new Map(pictures.map((id) => [id, blob(id)])),
  }
}

async function picturesKept(): Promise<IDBValidKey[]> {
  const db = await openDB('trilobite')
  const keys = await db.getAllKeys('pictures')
  db.close()
  return keys
}

describe.each([
  ['IndexedDB', openIndexedDb],
  ['memory', async () => memoryStore()],
])('chats in %s', (_, open) => {
  test('are saved, listed with the newest first, and loaded whole', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1000 })
    const store = await open()
    await store.save(change('a', 'one', 'p'), undefined)
    vi.setSystemTime(2000)
    await store.save(change('b', 'two'), undefined)
    expect((await store.heads()).map(({ id, title }) => [id, title])).toEqual([
      ['b', 'two'],
      ['a', 'one'],
    ])
    vi.setSystemTime(3000)
    const head = await store.save(change('a', 'one', 'p'), 1)
    vi.useRealTimers()
    expect(head).toMatchObject({ createdAt: 1000, changedAt: 3000, revision: 2, pictures: ['p'] })
    expect((await store.heads())[0]).toEqual(head)
    const chat = (await store.load('a'))!
    expect(chat.entries).toMatchObject([{ text: 'one', pictures: [{ id: 'p', name: 'p.png' }] }])
    expect([...chat.pictures]).toEqual([['p', blob('p')]])
    expect(await store.load('c')).toBeUndefined()
  })

  test('are never saved over a revision that was not seen', async () => {
    const store = await open()
    await store.save(change('a', 'one'), undefined)
    await store.save(change('a', 'one, from here'), 1)
    await expect(store.save(change('a', 'one, from there'), 1)).rejects.toThrow(ChatConflictError)
    await expect(store.save(change('a', 'as if new'), undefined)).rejects.toThrow(ChatConflictError)
    await store.remove('a')
    await expect(store.save(change('a', 'back again'), 2)).rejects.toThrow(ChatConflictError)
    expect(await store.heads()).toEqual([])
  })

  test('keep a title that was given, whatever is asked first', async () => {
    const store = await open()
    await store.save(change('a', 'one'), undefined)
    expect(await store.rename('a', 'Shapes')).toMatchObject({ title: 'Shapes', revision: 1 })
    expect(await store.save(change('a', 'another'), 1)).toMatchObject({ title: 'Shapes', revision: 2 })
    expect(await store.rename('b', 'Shapes')).toBeUndefined()
  })

  test('are added all or none, and never over others', async () => {
    const store = await open()
    await store.save(change('a', 'one'), undefined)
    const chat = (await store.load('a'))!
    const copy = { ...chat, head: { ...chat.head, id: 'b' } }
    await expect(store.add([copy, chat])).rejects.toThrow(ChatConflictError)
    expect((await store.heads()).map(({ id }) => id)).toEqual(['a'])
    await store.add([copy])
    expect((await store.heads()).map(({ id }) => id).sort()).toEqual(['a', 'b'])
  })

  test('tell their texts in batches, and go when told to', async () => {
    const store = await open()
    for (const id of ['c', 'a', 'b']) await store.save(change(id, id), undefined)
    expect((await store.bodies(undefined, 2)).map(({ id }) => id)).toEqual(['a', 'b'])
    expect((await store.bodies('b', 2)).map(({ id }) => id)).toEqual(['c'])
    await store.clear()
    expect(await store.heads()).toEqual([])
    expect(await store.bodies(undefined, 2)).toEqual([])
  })
})

test('a picture is kept once, as long as a chat has it', async () => {
  const store = await openIndexedDb()
  await store.save(change('a', 'one', 'p', 'q'), undefined)
  await store.save(change('b', 'two', 'q'), undefined)
  expect(await picturesKept()).toEqual(['p', 'q'])
  // A question that is asked anew without it lets go of it.
  await store.save(change('a', 'one', 'q'), 1)
  expect(await picturesKept()).toEqual(['q'])
  await store.remove('a')
  expect(await picturesKept()).toEqual(['q'])
  await store.remove('b')
  expect(await picturesKept()).toEqual([])
})

describe('the chat of version 1', () => {
  async function keepFirst(current: unknown) {
    const db = await openDB('trilobite', 1, { upgrade: (db) => void db.createObjectStore('chat') })
    if (current !== undefined) await db.put('chat', current, 'current')
    db.close()
  }
  const stores = async () => {
    const db = await openDB('trilobite')
    db.close()
    return [...db.objectStoreNames]
  }

  test('becomes the first of many, with its pictures', async () => {
    const stats = { model: 'tiny' }
    await keepFirst({
      version: 1,
      entries: [
        {
          role: 'user',
          id: 'q',
          text: 'What is it?\nReally?',
          pictures: [{ id: 'p', name: 'p.png', blob: blob('p') }],
        },
        { role: 'assistant', id: 'a', text: 'A frog', phase: 'stop', stats, problem: undefined },
      ],
    })
    const store = await openIndexedDb()
    const [head, ...others] = await store.heads()
    expect(others).toEqual([])
    expect(head).toMatchObject({ title: 'What is it?', model: 'tiny', revision: 1, pictures: ['p'] })
    const { entries, pictures } = (await store.load(head!.id))!
    expect(entries).toEqual([
      { role: 'user', id: 'q', text: 'What is it?\nReally?', pictures: [{ id: 'p', name: 'p.png' }] },
      { role: 'assistant', id: 'a', text: 'A frog', phase: 'stop', stats, problem: undefined },
    ])
    expect(pictures.get('p')).toEqual(blob('p'))
    expect(await stores()).toEqual(['bodies', 'heads', 'pictures'])
    // Opening again finds what is there.
    expect(await (await openIndexedDb()).heads()).toEqual([head])
  })

  test.each([
    ['was never begun', undefined, false],
    ['was empty', { version: 1, entries: [] }, false],
    ['cannot be read', { version: 1, entries: [{ role: 'user' }] }, true],
  ])('that %s makes none', async (_, current, stays) => {
    await keepFirst(current)
    expect(await (await openIndexedDb()).heads()).toEqual([])
    expect((await stores()).includes('chat')).toBe(stays)
  })

  test('waits for a tab of the old page, and says so', async () => {
    const old = await openDB('trilobite', 1, { upgrade: (db) => void db.createObjectStore('chat') })
    const onBlocked = vi.fn(() => old.close())
    expect(await (await openIndexedDb({ onBlocked })).heads()).toEqual([])
    expect(onBlocked).toHaveBeenCalledOnce()
  })
})

test('a newer page is not kept waiting', async () => {
  const onClosed = vi.fn()
  const store = await openIndexedDb({ onClosed })
  const newer = await openDB('trilobite', 3)
  expect(onClosed).toHaveBeenCalledOnce()
  await expect(store.heads()).rejects.toThrow()
  newer.close()
})
