import type { Keep } from '../state/storage'

/** What one tab tells the others. */
export type Told = { kind: 'changed' | 'removed'; id: string } | { kind: 'all' }

/** The other tabs of this page. */
export interface Tabs {
  tell(told: Told): void
  listen(hear: (told: Told) => void): void
  /** Lets other tabs know, until it has ended, that this one is writing an answer. */
  answer(id: string, ended: Promise<void>): void
  /** Ids of all answers that are being written. */
  answers(): Promise<ReadonlySet<string>>
  /** Resolves when an answer is no longer being written, also where its tab was closed. */
  ended(id: string): Promise<void>
}

const NAME = 'trilobite-chats'

/** Other tabs by the browser's own channel; a lock for each answer, which goes with its tab. */
export function browserTabs(): Tabs {
  const channel = new BroadcastChannel(NAME)
  const nameOf = (id: string) => `${NAME} ${id}`
  // A page that is served over plain HTTP has none.
  const locks = navigator.locks as LockManager | undefined
  return {
    tell: (told) => channel.postMessage(told),
    listen: (hear) => channel.addEventListener('message', ({ data }: MessageEvent<Told>) => hear(data)),
    answer: (id, ended) => void locks?.request(nameOf(id), () => ended).catch(unknown),
    async answers() {
      const { held = [] } = (await locks?.query().catch(unknown)) ?? {}
      return new Set(held.map(({ name = '' }) => name.slice(nameOf('').length)))
    },
    ended: async (id) => locks?.request(nameOf(id), { mode: 'shared' }, () => {}).catch(unknown),
  }
}

/** Where the browser refuses storage it refuses locks as well: an answer of another tab then seems cut off until it is complete. */
const unknown = () => undefined

/** What is shown is each tab's own, and what was shown last is where the next one begins. */
export const tabKeep: Keep = {
  read(name) {
    try {
      return sessionStorage.getItem(name) ?? localStorage.getItem(name)
    } catch {
      return null
    }
  },
  write(name, value) {
    try {
      for (const storage of [sessionStorage, localStorage]) storage.setItem(name, String(value))
    } catch {
      // Storage may be full or forbidden; the newest chat is shown then.
    }
  },
}
