import type { Page } from '@playwright/test'
import type { ChatHead, SavedEntry } from '../../src/ui/chats/record'

/** A chat of one question and one answer. */
export function chatOf(id: string, question: string, answer: string, changedAt = Date.UTC(2026, 0, 5)) {
  const head: ChatHead = {
    id,
    title: question,
    isTitleGiven: false,
    model: 'trilobite-nano-cambrian',
    createdAt: changedAt,
    changedAt,
    revision: 1,
    pictures: [],
  }
  const entries: SavedEntry[] = [
    { role: 'user', id: `${id}-q`, text: question, pictures: [] },
    { role: 'assistant', id: `${id}-a`, text: answer, phase: 'stop' },
  ]
  return { head, entries }
}

/** Puts chats into the database of an open page, as it keeps them; seen when it is loaded again. */
export async function keepChats(page: Page, chats: readonly ReturnType<typeof chatOf>[]): Promise<void> {
  await page.evaluate(async (chats) => {
    const open = indexedDB.open('trilobite')
    await new Promise((done) => (open.onsuccess = done))
    const change = open.result.transaction(['heads', 'bodies'], 'readwrite')
    for (const { head, entries } of chats) {
      change.objectStore('heads').put(head)
      change.objectStore('bodies').put({ id: head.id, entries })
    }
    await new Promise((done) => (change.oncomplete = done))
    open.result.close()
  }, chats)
}
