import type { ChatHead, SavedEntry, StoredChat } from './record'

/** What was said in a chat, in one record of its own: lists are read without it. */
export interface ChatBody {
  id: string
  entries: SavedEntry[]
}

/** A chat to be saved. */
export type ChatChange = Pick<StoredChat, 'entries' | 'pictures'> & {
  id: string
  /** Its title, unless the visitor gave one. */
  title: string
  model: string
}

/** Where chats are kept between visits. Calls reject where the browser refuses or is full. */
export interface ChatStore {
  /** All chats, the one changed last first. */
  heads(): Promise<ChatHead[]>
  load(id: string): Promise<StoredChat | undefined>
  /**
   * Saves a chat whose revision `base` was the last seen; undefined for a new one.
   *
   * Throws: ChatConflictError where it has another revision by now, or is gone.
   */
  save(change: ChatChange, base: number | undefined): Promise<ChatHead>
  /** Adds whole chats, all of them or none. Throws: ChatConflictError where one has the id of another. */
  add(chats: readonly StoredChat[]): Promise<void>
  /** Gives a title; undefined where the chat is gone. What was said stays as it is, and so does the revision. */
  rename(id: string, title: string): Promise<ChatHead | undefined>
  /** Removes a chat, and those of its pictures that no other has. */
  remove(id: string): Promise<void>
  clear(): Promise<void>
  /** As many chats' texts as `count`, in the order of ids, behind the id `after`. */
  bodies(after: string | undefined, count: number): Promise<ChatBody[]>
}

/** Another tab has changed or removed the chat meanwhile. */
export class ChatConflictError extends Error {
  override readonly name = 'ChatConflictError'
}

/** The head of a chat that is saved over `before`. Throws: ChatConflictError. */
export function nextHead(
  before: ChatHead | undefined,
  { id, title, model, pictures }: ChatChange,
  base: number | undefined,
): ChatHead {
  if (before?.revision !== base)
    throw new ChatConflictError(
      `chat ${id}: expected revision ${base}, it has ${before?.revision}. Save it as another.`,
    )
  const changedAt = Date.now()
  return {
    id,
    title: before?.isTitleGiven ? before.title : title,
    isTitleGiven: before?.isTitleGiven ?? false,
    model,
    createdAt: before?.createdAt ?? changedAt,
    changedAt,
    revision: (before?.revision ?? 0) + 1,
    pictures: [...pictures.keys()],
  }
}

export const newestFirst = (heads: ChatHead[]) => heads.sort((a, b) => b.changedAt - a.changedAt)
