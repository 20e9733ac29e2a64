import { openPicture } from '../chat/pictures'
import { Answer, Question, type AnswerPhase, type AnswerStats, type Entry } from '../state/chat.svelte'
import type { Problem } from '../text/explain'

/** What a list shows of a chat. */
export interface ChatHead {
  id: string
  title: string
  /** The visitor gave the title; else it is the first question. */
  isTitleGiven: boolean
  /** Name of the model that answered last. */
  model: string
  /** Units: milliseconds since 1970. */
  createdAt: number
  changedAt: number
  /** Grows with every change of what was said. Two tabs with the same revision hold the same chat. */
  revision: number
  /** Content ids of its pictures, each once. */
  pictures: string[]
}

/** A question as it is kept: its pictures lie apart, by content id. */
export interface SavedQuestion {
  role: 'user'
  id: string
  text: string
  pictures: { id: string; name: string }[]
}

export interface SavedAnswer {
  role: 'assistant'
  id: string
  text: string
  phase: AnswerPhase
  stats?: AnswerStats | undefined
  notices?: readonly string[]
  problem?: Problem | undefined
}

export type SavedEntry = SavedQuestion | SavedAnswer

/** A whole chat. `pictures` has the blob of every content id that its entries name. */
export interface StoredChat {
  head: ChatHead
  entries: SavedEntry[]
  pictures: ReadonlyMap<string, Blob>
}

/** Longest title, in characters. */
export const TITLE_LENGTH = 120

/** A title on one line, cut where it is too long. */
export function soundTitle(text: string): string {
  const [line = ''] = text.trim().split('\n', 1)
  const characters = [...line.replace(/\s+/g, ' ').trim()]
  return characters.length > TITLE_LENGTH
    ? `${characters.slice(0, TITLE_LENGTH - 1).join('')}…`
    : characters.join('')
}

/** A chat's title where the visitor gave none: its first question. */
export function titleOf(entries: readonly Pick<Entry, 'role' | 'text'>[]): string {
  return soundTitle(entries.find(({ role }) => role === 'user')?.text ?? '')
}

/** Name of the model that gave the last answer whose model is known. */
export function modelOf(entries: readonly (Entry | SavedEntry)[]): string | undefined {
  return entries.flatMap((entry) => (entry.role === 'assistant' ? (entry.stats?.model ?? []) : [])).at(-1)
}

/** What is kept of entries, and the pictures that they show. */
export function saved(entries: readonly Entry[]): Pick<StoredChat, 'entries' | 'pictures'> {
  const pictures = new Map<string, Blob>()
  const kept = entries.map((entry): SavedEntry => {
    const { id, text } = entry
    if (entry.role === 'user') {
      for (const picture of entry.pictures) pictures.set(picture.id, picture.blob)
      return { role: 'user', id, text, pictures: entry.pictures.map(({ id, name }) => ({ id, name })) }
    }
    const { phase, stats, notices, problem } = entry
    return { role: 'assistant', id, text, phase, stats, notices, problem }
  })
  return { entries: kept, pictures }
}

/** Answers that other tabs are writing, by their ids, and what is said in their place. */
export interface WrittenElsewhere {
  answers: ReadonlySet<string>
  notice: string
}

/** Entries as the page shows them. Pictures that cannot be decoded any more are left out. */
export function opened(
  { entries, pictures }: Pick<StoredChat, 'entries' | 'pictures'>,
  elsewhere?: WrittenElsewhere,
): Promise<Entry[]> {
  return Promise.all(
    entries.map((entry) =>
      entry.role === 'user' ? openedQuestion(entry, pictures) : openedAnswer(entry, elsewhere),
    ),
  )
}

async function openedQuestion({ id, text, pictures }: SavedQuestion, blobs: StoredChat['pictures']) {
  const results = await Promise.allSettled(
    pictures.flatMap(({ id, name }) => {
      const blob = blobs.get(id)
      return blob ? openPicture(blob, name) : []
    }),
  )
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  return new Question(text, found, id)
}

function openedAnswer(saved: SavedAnswer, elsewhere?: WrittenElsewhere): Answer {
  const { id, text, phase, stats, notices = [], problem } = saved
  const answer = Object.assign(new Answer(id), { text, phase, stats, notices, problem })
  if (!answer.isRunning) return answer
  if (!elsewhere?.answers.has(id)) return Object.assign(answer, { phase: 'interrupted' })
  return Object.assign(answer, { phase: 'stop', notices: [...notices, elsewhere.notice] })
}
