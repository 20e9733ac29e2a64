import type {
  AskEvent,
  ChatMessage,
  FinishReason,
  ModelInfo,
  Profile,
  Reply,
  SamplingOptions,
} from '../../worker/api'
import type { Picture } from '../chat/pictures'
import { explain, type Problem } from '../text/explain'
import { formatPercent, towerName } from '../text/format'
import { en, type Messages } from '../text/messages/en'
import type { AnswerProfile } from '../profile/figures'
import type { Lookable } from '../look/look.svelte'
import { wordsOf, type Piece } from '../look/words'
import type { EngineState } from './engine.svelte'
import type { Settings } from './settings.svelte'
import { surroundings } from './surroundings'

/** Where an answer stands. `lost`: the engine went away under it. `interrupted`: the page was closed. */
export type AnswerPhase =
  'waiting' | 'encoding' | 'prefill' | 'streaming' | FinishReason | 'failed' | 'lost' | 'interrupted'

/** Numbers shown under an answer. */
export interface AnswerStats {
  model: string
  /** Host that answered, where it was not this device. What it did not tell is left out. */
  server?: string
  tokens?: number
  promptTokens?: number
  imageTokens?: number
  reusedTokens?: number
  firstTokenMs: number
  tokensPerSecond: number
  sampling: SamplingOptions
}

/** A question with its pictures. */
export class Question {
  readonly role = 'user'
  readonly id: string
  text = $state('')
  pictures = $state.raw<Picture[]>([])

  constructor(text: string, pictures: Picture[], id: string = crypto.randomUUID()) {
    this.id = id
    this.text = text
    this.pictures = pictures
  }
}

/** A reply, growing while it streams. */
export class Answer {
  readonly role = 'assistant'
  readonly id: string
  text = $state('')
  phase = $state<AnswerPhase>('waiting')
  /** What is being done before the first token, in words. */
  activity = $state('')
  /** How much of that is done, 0 to 1, where it is known. */
  progress = $state<number>()
  stats = $state.raw<AnswerStats>()
  /** Where its time went, as long as the page is open. */
  profile = $state.raw<AnswerProfile>()
  /** What the engine had to say about it. */
  notices = $state.raw<readonly string[]>([])
  problem = $state.raw<Problem>()

  readonly isRunning = $derived(['waiting', 'encoding', 'prefill', 'streaming'].includes(this.phase))

  constructor(id: string = crypto.randomUUID()) {
    this.id = id
  }
}

export type Entry = Question | Answer

/** What came of a question. */
export type Outcome = { answer: Answer; reply: Reply } | { answer: Answer; error: unknown }

/** Told what happens to answers. */
export interface ChatListener {
  token?(answer: Answer, text: string, index: number): void
  done?(outcome: Outcome): void
}

/** Also on an insecure address, where `crypto.randomUUID` is missing and the page must open to say so. */
const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  )

/** Questions and answers in their order. */
export class Conversation {
  /** Its name in what keeps chats; another one where it has to become a chat of its own. */
  id = $state('')
  entries = $state<Entry[]>([])

  constructor(entries: Entry[] = [], id = randomId()) {
    this.id = id
    this.entries = entries
  }
}

/**
 * Messages for the engine. Answers without text are left out and questions that then follow one another are joined,
 * because chat templates want turns to alternate.
 */
export function toMessages(entries: readonly Entry[], systemPrompt: string): ChatMessage[] {
  const messages: ChatMessage[] = []
  if (systemPrompt.trim()) messages.push({ role: 'system', text: systemPrompt.trim() })
  for (const entry of entries) {
    if (entry.role === 'assistant') {
      if (entry.text) messages.push({ role: 'assistant', text: entry.text })
      continue
    }
    const images = entry.pictures.map(({ id, blob }) => ({ id, blob }))
    const last = messages.at(-1)
    if (last?.role === 'user') {
      last.text = `${last.text}\n${entry.text}`
      last.images = [...(last.images ?? []), ...images]
    } else {
      messages.push({ role: 'user', text: entry.text, images })
    }
  }
  return messages
}

/** The conversation on the page, and the answer that is being written, which may be another's. It outlives models and lost devices. */
export class Chat {
  /** What is on the page. */
  shown = $state.raw(new Conversation())
  /** The answer the engine can still look into, by its id, and with what; the next question ends that. */
  #lookable = $state.raw<{ id: string; model: ModelInfo; losses: number; words: Lookable['words'] }>()
  /** True until the last visit's chat has been read. */
  isRestoring = $state(false)

  listener: ChatListener = {}
  /** Told when a question was asked, when its answer has ended, and when what was said has been taken back. */
  keep: (conversation: Conversation) => void = () => {}

  /** What the engine is answering; `ended` resolves when that was given to `keep`. */
  answering = $state.raw<{ conversation: Conversation; answer: Answer; ended: Promise<void> }>()

  #engine: EngineState
  #settings: Settings
  #say: (text: string) => void
  #texts: () => Messages

  constructor(engine: EngineState, settings: Settings, say: (text: string) => void, texts = () => en) {
    this.#engine = engine
    this.#settings = settings
    this.#say = say
    this.#texts = texts
  }

  get entries(): Entry[] {
    return this.shown.entries
  }

  get running(): Answer | undefined {
    return this.answering?.answer
  }

  /** What can be looked into of an answer on the page; undefined once the engine holds another, or the model went. */
  lookable(answer: Answer): Lookable | undefined {
    const last = this.#lookable
    const { model, losses } = this.#engine
    if (last?.id !== answer.id || last.model !== model || last.losses !== losses) return undefined
    const before = this.entries.slice(
      0,
      this.entries.findIndex(({ id }) => id === answer.id),
    )
    const pictures = before.flatMap((entry) => (entry.role === 'user' ? entry.pictures : []))
    return { words: last.words, pictures, towers: last.model.towers.map(towerName) }
  }

  /** Whether a picture was sent with the question of an answer, or before it. */
  hasPicturesBefore(answer: Answer): boolean {
    const before = this.entries.slice(0, this.entries.indexOf(answer))
    return before.some((entry) => entry.role === 'user' && entry.pictures.length > 0)
  }

  /** Resolves to nothing where it could not be asked. */
  async send(text: string, pictures: Picture[]): Promise<Outcome | undefined> {
    if (!this.#engine.isReady || this.running || !text.trim()) return undefined
    this.entries.push(new Question(text.trim(), pictures))
    return this.#answer(this.shown)
  }

  /** Answers the question before `answer` again; what followed is dropped. */
  async regenerate(answer: Answer) {
    const index = this.entries.indexOf(answer)
    if (!this.#engine.isReady || this.running || index < 1) return
    release(this.entries.splice(index))
    await this.#answer(this.shown)
  }

  /** Puts a new text in place of a question and asks again; what followed is dropped. */
  async resend(question: Question, text: string) {
    const index = this.entries.indexOf(question)
    if (!this.#engine.isReady || this.running || index < 0 || !text.trim()) return
    release(this.entries.splice(index + 1))
    question.text = text.trim()
    await this.#answer(this.shown)
  }

  async stop() {
    if (this.running) await this.#engine.abort()
  }

  /** Takes back all that was said on the page. */
  async clear() {
    await this.stop()
    const { shown } = this
    const gone = shown.entries
    shown.entries = []
    this.#lookable = undefined
    release(gone)
    this.keep(shown)
  }

  async #answer(conversation: Conversation): Promise<Outcome> {
    const messages = toMessages(conversation.entries, this.#settings.data.systemPrompt)
    const sampling = this.#settings.sampling()
    const { maxNewTokens, isProfiling: profile } = this.#settings.data
    const answer = new Answer()
    const pieces: Piece[] = []
    this.#lookable = undefined
    conversation.entries.push(answer)
    let end = () => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    this.answering = { conversation, answer, ended }
    this.#say(this.#texts().announcements.generating)
    this.keep(conversation)

    const stream = new Painter((text) => (answer.text += text))
    let outcome: Outcome
    try {
      const reply = await this.#engine.ask({ messages, sampling, maxNewTokens, profile }, (event) => {
        if (!answer.isRunning) return
        if (event.type === 'notice') {
          if (!answer.notices.includes(event.message)) answer.notices = [...answer.notices, event.message]
          return
        }
        if (event.type === 'restart') {
          stream.close()
          answer.text = ''
          pieces.length = 0
          return
        }
        if (event.type === 'token') {
          stream.add(event.text)
          this.listener.token?.(answer, event.text, event.index)
          pieces.push({ text: event.text, index: event.index })
        }
        answer.phase = PHASES[event.type]
        answer.activity = activityOf(event, this.#texts())
        answer.progress = progressOf(event)
      })
      stream.close()
      answer.text = reply.text
      answer.stats = statsOf(reply, sampling, this.#engine.target?.label ?? '', this.#engine.model?.server)
      answer.profile = reply.profile && this.#profileOf(reply.profile, answer.stats)
      answer.phase = reply.finish
      const words = reply.tokenIds ? wordsOf(pieces, reply.tokenIds.length) : []
      this.#keepLookable(conversation, answer, words)
      const { answerStopped, answerComplete } = this.#texts().announcements
      this.#say(reply.finish === 'aborted' ? answerStopped : answerComplete)
      outcome = { answer, reply }
    } catch (error) {
      stream.close()
      outcome = { answer, error }
      if (this.#engine.status === 'lost') {
        // The banner says what to do; the answer only that it ended.
        answer.phase = 'lost'
        this.#say(this.#texts().announcements.answerCutShort)
      } else {
        answer.phase = 'failed'
        answer.problem = explain(error, surroundings(), this.#texts())
        this.#say(this.#texts().announcements.noAnswer(answer.problem.title))
      }
    } finally {
      answer.activity = ''
      answer.progress = undefined
      this.answering = undefined
    }
    this.keep(conversation)
    end()
    this.listener.done?.(outcome)
    return outcome
  }

  #profileOf(profile: Profile, stats: AnswerStats): AnswerProfile {
    const { model, tokens, promptTokens, imageTokens, reusedTokens, firstTokenMs, tokensPerSecond } = stats
    const { loadMs, device } = this.#engine
    return {
      ...profile,
      model,
      adapter: device?.adapter.description ?? '',
      loadMs,
      firstTokenMs,
      tokensPerSecond,
      tokens,
      promptTokens,
      imageTokens,
      reusedTokens,
    }
  }

  #keepLookable({ entries }: Conversation, { id }: Answer, words: Lookable['words']) {
    const { model, losses } = this.#engine
    const sawPictures = entries.some((entry) => entry.role === 'user' && entry.pictures.length > 0)
    if (model && words.length && sawPictures) this.#lookable = { id, model, losses, words }
  }
}

/** Lets the pictures of entries go that nobody sees any more. */
export function release(entries: readonly Entry[]) {
  for (const entry of entries)
    if (entry.role === 'user') for (const { url } of entry.pictures) URL.revokeObjectURL(url)
}

/** Undefined where there is nothing to show yet. */
function progressOf(event: AskEvent): number | undefined {
  if (event.type === 'tower') return shareOf(event)
  return event.type === 'encoding' && event.share > 0 && event.share < 1 ? event.share : undefined
}

const shareOf = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) =>
  totalBytes > 0 ? doneBytes / totalBytes : 0

const PHASES = {
  encoding: 'encoding',
  tower: 'encoding',
  prefill: 'prefill',
  token: 'streaming',
} as const

function activityOf(event: Exclude<AskEvent, { type: 'notice' | 'restart' }>, texts: Messages): string {
  const { activity } = texts
  switch (event.type) {
    case 'encoding': {
      const fresh = event.images - event.cached
      if (fresh === 0) return activity.readingQuestion
      return fresh > 1 ? activity.lookingAtPictures(fresh) : activity.lookingAtPicture
    }
    case 'tower': {
      const { name, tower, towers } = event
      const percent = formatPercent(Math.floor(shareOf(event) * 100) / 100, texts)
      const how = event.cached ? activity.loadingTower : activity.fetchingTower
      return how(tower + 1, towers, towerName(name), percent)
    }
    case 'prefill':
      return activity.readingTokens(event.promptTokens - event.reusedTokens)
    case 'token':
      return ''
  }
}

function statsOf(
  reply: Reply,
  sampling: SamplingOptions,
  model: string,
  server: string | undefined,
): AnswerStats {
  return {
    model,
    ...(server !== undefined && { server }),
    tokens: reply.generatedTokens,
    promptTokens: reply.promptTokens,
    imageTokens: reply.imageTokens,
    reusedTokens: reply.reusedTokens,
    firstTokenMs: reply.prefillMs,
    tokensPerSecond: reply.tokensPerSecond,
    sampling,
  }
}

/** Gathers tokens and hands them on once a frame: a fast model would else redraw the page hundreds of times a second. */
class Painter {
  #pending = ''
  #frame = 0
  #paint: (text: string) => void

  constructor(paint: (text: string) => void) {
    this.#paint = paint
  }

  add(text: string) {
    this.#pending += text
    // A hidden tab paints no frames, and its text should grow all the same.
    if (document.hidden) this.#flush()
    else this.#frame ||= requestAnimationFrame(() => this.#flush())
  }

  #flush() {
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    if (this.#pending) this.#paint(this.#pending)
    this.#pending = ''
  }

  close() {
    this.#flush()
  }
}
