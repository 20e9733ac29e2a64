import { createStore, get, set } from 'idb-keyval'
import type { SavedChat } from './chat.svelte'

/** Where the current chat is kept between visits. */
export interface ChatStore {
  load(): Promise<SavedChat | undefined>
  save(chat: SavedChat): Promise<void>
}

/** A store in IndexedDB, which takes pictures as they are. */
export function indexedDbStore(): ChatStore {
  const store = createStore('trilobite', 'chat')
  return {
    async load() {
      const saved = await get<SavedChat>('current', store)
      return saved?.version === 1 ? saved : undefined
    },
    save: (chat) => set('current', chat, store),
  }
}
