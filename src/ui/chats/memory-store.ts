import type { StoredChat } from './record'
import { ChatConflictError, newestFirst, nextHead, type ChatStore } from './store'

/** Chats for as long as the page is open, where the browser keeps nothing. */
export function memoryStore(): ChatStore {
  const chats = new Map<string, StoredChat>()
  return {
    heads: async () => newestFirst([...chats.values()].map(({ head }) => head)),
    load: async (id) => chats.get(id),
    async save(change, base) {
      const { id, entries, pictures } = change
      const head = nextHead(chats.get(id)?.head, change, base)
      chats.set(id, { head, entries, pictures })
      return head
    },
    async add(added) {
      const taken = added.find(({ head }) => chats.has(head.id))
      if (taken) throw new ChatConflictError(`chat ${taken.head.id}: expected a new id, it is taken.`)
      for (const chat of added) chats.set(chat.head.id, chat)
    },
    async rename(id, title) {
      const chat = chats.get(id)
      if (!chat) return undefined
      const head = { ...chat.head, title, isTitleGiven: true }
      chats.set(id, { ...chat, head })
      return head
    },
    async remove(id) {
      chats.delete(id)
    },
    async clear() {
      chats.clear()
    },
    async bodies(after, count) {
      const ids = [...chats.keys()].sort().filter((id) => after === undefined || id > after)
      return ids.slice(0, count).map((id) => ({ id, entries: chats.get(id)!.entries }))
    },
  }
}
