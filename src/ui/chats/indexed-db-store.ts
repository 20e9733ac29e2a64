import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb'
import type { ChatHead, SavedAnswer, SavedEntry, StoredChat } from './record'
import { titleOf, modelOf } from './record'
import { ChatConflictError, newestFirst, nextHead, type ChatBody, type ChatStore } from './store'

const NAME = 'trilobite'
/** 1: one chat, its pictures within, as `current` of the store `chat`. 2: many chats, pictures apart. */
const VERSION = 2

interface Schema extends DBSchema {
  heads: { key: string; value: ChatHead; indexes: { pictures: string } }
  bodies: { key: string; value: ChatBody }
  /** By content id, each once for all chats. */
  pictures: { key: string; value: Blob }
}
type Stores = ('heads' | 'bodies' | 'pictures')[]
type Change = IDBPTransaction<Schema, Stores, 'readwrite' | 'versionchange'>

const ALL: Stores = ['heads', 'bodies', 'pictures']

export interface StoreEvents {
  /** Another tab holds the database in its old form; opening goes on when that tab is closed. */
  onBlocked?: () => void
  /** The database was closed: a newer page in another tab changes its form, or the browser took it away. */
  onClosed?: () => void
}

/** Chats in IndexedDB. Rejects where the browser refuses it. */
export async function openIndexedDb({ onBlocked, onClosed }: StoreEvents = {}): Promise<ChatStore> {
  const db = await openDB<Schema>(NAME, VERSION, {
    async upgrade(db, oldVersion, _newVersion, change) {
      if (oldVersion >= 2) return
      db.createObjectStore('heads', { keyPath: 'id' }).createIndex('pictures', 'pictures', {
        multiEntry: true,
      })
      db.createObjectStore('bodies', { keyPath: 'id' })
      db.createObjectStore('pictures')
      await takeOver(db, change)
    },
    blocked: () => onBlocked?.(),
    // A newer page must not wait for this one.
    blocking: () => {
      db.close()
      onClosed?.()
    },
    terminated: () => onClosed?.(),
  })
  return storeOf(db)
}

function storeOf(db: IDBPDatabase<Schema>): ChatStore {
  /** In one transaction that is undone where `work` throws. */
  async function change<T>(work: (change: Change) => Promise<T>): Promise<T> {
    const transaction = db.transaction(ALL, 'readwrite')
    // It rejects with what `work` throws, or, at its end, where the disk is full.
    const done = transaction.done
    done.catch(() => {})
    try {
      const result = await work(transaction)
      await done
      return result
    } catch (error) {
      try {
        transaction.abort()
      } catch {
        // It has ended by itself.
      }
      throw error
    }
  }

  return {
    async heads() {
      return newestFirst(await db.getAll('heads'))
    },
    async load(id) {
      const reading = db.transaction(ALL)
      const [head, body] = await Promise.all([
        reading.objectStore('heads').get(id),
        reading.objectStore('bodies').get(id),
      ])
      if (!head || !body) return undefined
      const store = reading.objectStore('pictures')
      const blobs = await Promise.all(
        head.pictures.map(async (id) => [id, await store.get(id)] satisfies [string, Blob | undefined]),
      )
      const pictures = new Map(blobs.flatMap(([id, blob]) => (blob ? [[id, blob] as const] : [])))
      return { head, entries: body.entries, pictures }
    },
    save: ({ entries, ...given }, base) =>
      change(async (change) => {
        const before = await change.objectStore('heads').get(given.id)
        const head = nextHead(before, { entries, ...given }, base)
        await put(change, { head, entries, pictures: given.pictures })
        await sweep(change, before?.pictures ?? [])
        return head
      }),
    add: (chats) =>
      change(async (change) => {
        for (const chat of chats) {
          if (await change.objectStore('heads').getKey(chat.head.id))
            throw new ChatConflictError(`chat ${chat.head.id}: expected a new id, it is taken.`)
          await put(change, chat)
        }
      }),
    rename: (id, title) =>
      change(async (change) => {
        const before = await change.objectStore('heads').get(id)
        if (!before) return undefined
        const head = { ...before, title, isTitleGiven: true }
        await change.objectStore('heads').put(head)
        return head
      }),
    remove: (id) =>
      change(async (change) => {
        const head = await change.objectStore('heads').get(id)
        await change.objectStore('heads').delete(id)
        await change.objectStore('bodies').delete(id)
        await sweep(change, head?.pictures ?? [])
      }),
    clear: () =>
      change(async (change) => {
        await Promise.all(ALL.map((name) => change.objectStore(name).clear()))
      }),
    bodies: (after, count) =>
      db.getAll('bodies', after === undefined ? undefined : IDBKeyRange.lowerBound(after, true), count),
  }
}

async function put(change: Change, { head, entries, pictures }: StoredChat) {
  const store = change.objectStore('pictures')
  await change.objectStore('heads').put(head)
  await change.objectStore('bodies').put({ id: head.id, entries })
  for (const [id, blob] of pictures) if ((await store.getKey(id)) === undefined) await store.put(blob, id)
}

/** Removes those pictures that no chat has any more. */
async function sweep(change: Change, pictures: readonly string[]) {
  const users = change.objectStore('heads').index('pictures')
  for (const id of pictures)
    if ((await users.count(id)) === 0) await change.objectStore('pictures').delete(id)
}

// ---- Version 1 ----

/** The one chat of version 1. */
interface FirstChat {
  version: 1
  entries: (
    | { role: 'user'; id: string; text: string; pictures: { id: string; name: string; blob: Blob }[] }
    | SavedAnswer
  )[]
}

/** Makes the chat of version 1 the first of many. One that cannot be read stays where it is. */
async function takeOver(db: IDBPDatabase<Schema>, change: Change) {
  const OLD = 'chat' as never
  if (!db.objectStoreNames.contains(OLD)) return
  const old = (await change.objectStore(OLD).get('current')) as FirstChat | undefined
  const chat = old && migrated(old)
  if (old && !chat) return
  if (chat?.entries.length) await put(change, chat)
  db.deleteObjectStore(OLD)
}

function migrated(old: FirstChat): StoredChat | undefined {
  try {
    const pictures = new Map<string, Blob>()
    const entries = old.entries.map((entry): SavedEntry => {
      if (entry.role === 'assistant') return entry
      for (const { id, blob } of entry.pictures) pictures.set(id, blob)
      return { ...entry, pictures: entry.pictures.map(({ id, name }) => ({ id, name })) }
    })
    const now = Date.now()
    const head: ChatHead = {
      id: crypto.randomUUID(),
      title: titleOf(entries),
      isTitleGiven: false,
      model: modelOf(entries) ?? '',
      createdAt: now,
      changedAt: now,
      revision: 1,
      pictures: [...pictures.keys()],
    }
    return { head, entries, pictures }
  } catch {
    return undefined
  }
}
