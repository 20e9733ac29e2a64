import { SvelteMap } from 'svelte/reactivity'
import { Conversation, release, type Chat } from '../state/chat.svelte'
import type { Keep } from '../state/storage'
import { nameAndMessage } from '../text/explain'
import { en, type ChatsMessages } from '../text/messages/chats/en'
import { download } from '../train/zip'
import { ArchiveError, readArchive } from './archive'
import { exportName, filesOf, type ExportKind } from './files'
import type { StoreEvents } from './indexed-db-store'
import { memoryStore } from './memory-store'
import { modelOf, opened, saved, soundTitle, titleOf, type ChatHead, type StoredChat } from './record'
import { SearchIndex, wordsOf, type Snippet } from './search'
import type { Tabs, Told } from './tabs'
import { ChatConflictError, newestFirst, type ChatStore } from './store'

/** Why chats are not kept: the browser keeps none, is full, or another tab stands in the way. */
export type StorageProblem = keyof ChatsMessages['problems']

export interface ChatsOptions {
  chat: Chat
  open: (events: StoreEvents) => Promise<ChatStore>
  tabs: Tabs
  /** Where it is kept which chat is shown. */
  keep: Keep
  /** Name of the model that would answer now. */
  modelName: () => string
  say: (text: string) => void
  texts?: () => ChatsMessages
}

const SHOWN_KEY = 'trilobite.chat'
/** Chats whose texts are read at once as a search begins: a few milliseconds' work. */
const BATCH = 25
/** How long what was deleted can be brought back. */
export const UNDO_MS = 10_000
const NOTICE_MS = 8000

/**
 * All chats of the page: kept, listed, searched, exported and imported, in step with the other tabs.
 *
 * Where two tabs change the same chat, what was saved first keeps its name and the other becomes a chat of its own: what
 * was said is never overwritten unseen. A title is whoever's gave it last.
 */
export class Chats {
  #heads = $state.raw<ChatHead[]>([])
  /** The list has been read. */
  isListed = $state(false)
  problem = $state<StorageProblem>()
  /** What came of the last thing done here, in a sentence; `isBad` where it was refused. */
  notice = $state.raw<{ text: string; isBad: boolean }>()
  /** The chat deleted last, as long as it can be brought back. */
  deleted = $state.raw<{ chat: StoredChat; wasShown: boolean }>()
  isBusy = $state(false)

  query = $state('')
  /** Texts are still being read for the search. */
  isIndexing = $state(false)

  #chat: Chat
  #store: Promise<ChatStore>
  #tabs: Tabs
  #keep: Keep
  #modelName: () => string
  #say: (text: string) => void
  #texts: () => ChatsMessages

  /** The revision that this tab has seen of what it shows. */
  #revisions = new WeakMap<Conversation, number>()
  /** Conversations that the store would not take. They stay here as they are. */
  #unsaved = new SvelteMap<string, Conversation>()
  /** The database was closed under this page, and stays so. */
  #isClosed = false
  #saving: Promise<void> = Promise.resolve()
  /** Counts what is to be shown: a chat that was read too late is not. */
  #showings = 0
  #undoTimer: ReturnType<typeof setTimeout> | undefined
  #noticeTimer: ReturnType<typeof setTimeout> | undefined

  #index = new SearchIndex()
  /** Counts changes of the index, which is no state by itself. */
  #indexVersion = $state(0)
  #indexed: Promise<void> | undefined

  readonly words: readonly string[] = $derived(wordsOf(this.query))
  /** Every chat, the one changed last first. */
  readonly heads: readonly ChatHead[] = $derived.by(() => {
    const unsaved = [...this.#unsaved.values()].map((conversation) => this.#unsavedHead(conversation))
    return unsaved.length
      ? newestFirst([...unsaved, ...this.#heads.filter(({ id }) => !this.#unsaved.has(id))])
      : this.#heads
  })
  /** Those that the search finds. */
  readonly found: readonly ChatHead[] = $derived.by(() => {
    void this.#indexVersion
    return this.words.length ? this.#index.find(this.heads, this.words) : this.heads
  })

  constructor({ chat, open, tabs, keep, modelName, say, texts = () => en }: ChatsOptions) {
    this.#chat = chat
    this.#tabs = tabs
    this.#keep = keep
    this.#modelName = modelName
    this.#say = say
    this.#texts = texts
    chat.isRestoring = true
    chat.keep = (conversation) => this.#save(conversation)
    this.#store = open({
      onBlocked: () => {
        this.#meet('blocked')
        chat.isRestoring = false
      },
      onClosed: () => {
        this.#isClosed = true
        this.#meet('closed')
      },
    }).then(
      (store) => {
        if (this.problem === 'blocked') this.problem = undefined
        return store
      },
      () => {
        this.#meet('refused')
        return memoryStore()
      },
    )
  }

  /** Reads the list, and shows the chat that was shown last. */
  async start() {
    const { shown } = this.#chat
    this.#tabs.listen((told) => void this.#hear(told))
    await this.#refresh()
    const kept = this.#keep.read(SHOWN_KEY)
    const last = typeof kept === 'string' ? this.#heads.find(({ id }) => id === kept) : this.#heads[0]
    const restored = last && (await this.#read(last.id))
    if (restored && this.#chat.shown === shown && !shown.entries.length) this.#show(restored)
    this.#chat.isRestoring = false
  }

  titleOf({ title }: Pick<ChatHead, 'title'>): string {
    return title || this.#texts().untitled
  }

  /** Resolves when what was said so far is kept. Saves follow one another: each knows the revision that the one before made. */
  get saving(): Promise<void> {
    return this.#saving
  }

  isUnsaved(id: string): boolean {
    return this.#unsaved.has(id)
  }

  // ---- What is shown ----

  /** Shows a chat. An answer that is being written goes on in its own. */
  async open(id: string): Promise<void> {
    const { shown, answering } = this.#chat
    if (shown.id === id) return
    const showing = ++this.#showings
    const held = answering?.conversation.id === id ? answering.conversation : this.#unsaved.get(id)
    const conversation = held ?? (await this.#read(id))
    if (showing !== this.#showings) return
    if (!conversation) return this.#refresh()
    this.#show(conversation)
    const head = this.heads.find((head) => head.id === id)
    if (head) this.#say(this.#texts().opened(this.titleOf(head)))
  }

  /** Shows a chat in which nothing was said yet. An answer that is being written goes on in its own. */
  startNew() {
    this.#showings++
    if (this.#chat.entries.length) this.#show(new Conversation())
  }

  #show(conversation: Conversation) {
    const before = this.#chat.shown
    this.#chat.shown = conversation
    this.#keep.write(SHOWN_KEY, conversation.id)
    this.#letGo(before)
  }

  /** Lets the pictures go of what is kept and not looked at. */
  #letGo(conversation: Conversation) {
    if (conversation !== this.#chat.shown && !this.#isBusyWith(conversation)) release(conversation.entries)
  }

  async #read(id: string): Promise<Conversation | undefined> {
    // What was just said there may be on its way.
    await this.#saving
    const chat = await this.#attempt((store) => store.load(id))
    if (!chat) return undefined
    const answers = await this.#tabs.answers()
    const notice = this.#texts().answeredElsewhere
    const conversation = new Conversation(await opened(chat, { answers, notice }), id)
    this.#revisions.set(conversation, chat.head.revision)
    const written = chat.entries.filter(({ id }) => answers.has(id))
    if (written.length) void this.#readAgain(conversation, written)
    return conversation
  }

  /** Once another tab has ended what it was writing: its end came with a change, unless that tab was closed. */
  async #readAgain(conversation: Conversation, written: readonly { id: string }[]) {
    await Promise.all(written.map(({ id }) => this.#tabs.ended(id)))
    if (this.#chat.shown === conversation) await this.#renew()
  }

  // ---- Saving ----

  #save(conversation: Conversation) {
    const { answering } = this.#chat
    if (answering?.conversation === conversation)
      // Until its end is kept.
      this.#tabs.answer(
        answering.answer.id,
        answering.ended.then(() => this.#saving),
      )
    this.#saving = this.#saving.then(() => this.#saveNow(conversation))
  }

  async #saveNow(conversation: Conversation): Promise<void> {
    const { id } = conversation
    const { entries, pictures } = saved(conversation.entries)
    const model = modelOf(entries) ?? this.#modelName()
    const change = { id, title: titleOf(entries), model, entries, pictures }
    try {
      const store = await this.#store
      const head = await store.save(change, this.#revisions.get(conversation))
      this.#revisions.set(conversation, head.revision)
      this.#unsaved.delete(id)
      if (this.problem === 'full') this.problem = undefined
      if (this.#chat.shown === conversation) this.#keep.write(SHOWN_KEY, id)
      this.#put(head, entries)
      this.#tabs.tell({ kind: 'changed', id })
      this.#letGo(conversation)
    } catch (error) {
      if (error instanceof ChatConflictError) return this.#fork(conversation)
      this.#fail(error)
      this.#unsaved.set(id, conversation)
    }
  }

  /** Another tab has changed or removed it: what is here becomes a chat of its own. */
  #fork(conversation: Conversation): Promise<void> {
    conversation.id = crypto.randomUUID()
    this.#revisions.delete(conversation)
    this.#tell(this.#texts().forked, true)
    return this.#saveNow(conversation)
  }

  #unsavedHead(conversation: Conversation): ChatHead {
    const { id, entries } = conversation
    const before = this.#heads.find((head) => head.id === id)
    const now = Date.now()
    return {
      id,
      title: before?.isTitleGiven ? before.title : titleOf(entries),
      isTitleGiven: before?.isTitleGiven ?? false,
      model: modelOf(entries) ?? this.#modelName(),
      createdAt: before?.createdAt ?? now,
      changedAt: before?.changedAt ?? now,
      revision: before?.revision ?? 0,
      pictures: entries.flatMap((entry) => (entry.role === 'user' ? entry.pictures.map(({ id }) => id) : [])),
    }
  }

  /** Undefined where the store would not. Why is told in `problem`. */
  async #attempt<T>(work: (store: ChatStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await work(await this.#store)
    } catch (error) {
      this.#fail(error)
      return undefined
    }
  }

  #fail(error: unknown) {
    if (this.#isClosed) this.#meet('closed')
    else this.#meet(nameAndMessage(error).name === 'QuotaExceededError' ? 'full' : 'refused')
  }

  #meet(problem: StorageProblem) {
    if (this.problem === problem) return
    this.problem = problem
    this.#say(this.#texts().problems[problem])
  }

  // ---- The list ----

  async #refresh() {
    const heads = await this.#attempt((store) => store.heads())
    if (heads) this.#heads = heads
    this.isListed = true
  }

  /** Puts what was changed at its place in the list and in the index. */
  #put(head: ChatHead, entries?: StoredChat['entries']) {
    this.#heads = newestFirst([head, ...this.#heads.filter(({ id }) => id !== head.id)])
    if (entries) this.#indexTexts(head.id, entries)
  }

  #drop(id: string) {
    this.#heads = this.#heads.filter((head) => head.id !== id)
    this.#index.delete(id)
  }

  async rename(id: string, given: string) {
    const title = soundTitle(given)
    const before = this.heads.find((head) => head.id === id)
    if (!title || !before || title === before.title) return
    const head = await this.#attempt((store) => store.rename(id, title))
    if (!head) return this.#refresh()
    this.#put(head)
    this.#tabs.tell({ kind: 'changed', id })
    this.#say(this.#texts().renamed(title))
  }

  /** Deletes a chat at once, and holds it ready to be brought back for a while. An answer that is written there is stopped. */
  async remove(id: string) {
    await this.#stopIn((conversation) => conversation.id === id)
    const chat = await this.#whole(id)
    const wasShown = this.#chat.shown.id === id
    if (chat && (await this.#attempt(async (store) => (await store.remove(id), true)))) {
      this.#unsaved.delete(id)
      this.#drop(id)
      if (this.#chat.shown.id === id) this.startNew()
      this.deleted = { chat, wasShown }
      this.notice = undefined
      this.holdUndo(false)
      this.#tabs.tell({ kind: 'removed', id })
      this.#say(this.#texts().deleted(this.titleOf(chat.head)))
    } else await this.#refresh()
  }

  /** The time to bring back what was deleted stands still while someone is about to. */
  holdUndo(isHeld: boolean) {
    clearTimeout(this.#undoTimer)
    if (!isHeld) this.#undoTimer = setTimeout(() => (this.deleted = undefined), UNDO_MS)
  }

  async undo() {
    const { deleted } = this
    if (!deleted) return
    const { chat, wasShown } = deleted
    const isBack = await this.#attempt(async (store) => (await store.add([chat]), true))
    if (!isBack) return
    clearTimeout(this.#undoTimer)
    this.deleted = undefined
    this.#put(chat.head, chat.entries)
    this.#tabs.tell({ kind: 'changed', id: chat.head.id })
    if (wasShown) await this.open(chat.head.id)
    this.#say(this.#texts().restored(this.titleOf(chat.head)))
  }

  async removeAll() {
    await this.#stopIn(() => true)
    if (!(await this.#attempt(async (store) => (await store.clear(), true)))) return
    this.#heads = []
    this.#unsaved.clear()
    this.#index.clear()
    this.deleted = undefined
    if (this.problem === 'full') this.problem = undefined
    this.startNew()
    this.#tabs.tell({ kind: 'all' })
    this.#tell(this.#texts().allDeleted)
  }

  /** Stops the answer that is written in such a conversation, and waits until it has been saved. */
  async #stopIn(isMeant: (conversation: Conversation) => boolean) {
    const { answering } = this.#chat
    if (answering && isMeant(answering.conversation)) {
      await this.#chat.stop()
      await answering.ended
    }
    await this.#saving
  }

  // ---- Search ----

  /** Looks for chats as the visitor types. Texts are read when something is first looked for. */
  search(query: string) {
    this.query = query
    if (this.words.length) this.#indexed ??= this.#readTexts()
  }

  snippet(id: string): Snippet | undefined {
    void this.#indexVersion
    return this.#index.snippet(id, this.words)
  }

  async #readTexts() {
    this.isIndexing = true
    let after: string | undefined
    do {
      const bodies = await this.#attempt((store) => store.bodies(after, BATCH))
      for (const { id, entries } of bodies ?? []) {
        // One that was changed meanwhile is newer there.
        if (!this.#index.has(id)) this.#index.put(id, textsOf(entries))
      }
      this.#indexVersion++
      after = bodies?.at(-1)?.id
    } while (after !== undefined)
    this.isIndexing = false
  }

  #indexTexts(id: string, entries: StoredChat['entries']) {
    if (!this.#indexed) return
    this.#index.put(id, textsOf(entries))
    this.#indexVersion++
  }

  // ---- Export and import ----

  /** Has the browser keep one chat, or all, as files. */
  async export(kind: ExportKind, id?: string) {
    if (!this.heads.length) return
    this.isBusy = true
    try {
      await this.#saving
      const heads = this.heads.filter((head) => id === undefined || head.id === id)
      const chats = (await Promise.all(heads.map(({ id }) => this.#whole(id)))).filter((chat) => !!chat)
      if (!chats.length) return
      const name = exportName(id === undefined ? undefined : this.titleOf(chats[0]!.head))
      const files = await filesOf(kind, chats, name, this.#texts().markdown)
      for (const { name, blob } of files) download(blob, name)
      this.#tell(this.#texts().exported(chats.length))
    } catch (error) {
      this.#tell(nameAndMessage(error).message, true)
    } finally {
      this.isBusy = false
    }
  }

  /** Adds the chats of exported files to those that are here. A file that is refused adds none. */
  async import(files: readonly File[]) {
    this.isBusy = true
    const sentences: string[] = []
    let isBad = false
    for (const file of files) {
      try {
        sentences.push(await this.#importOne(file))
      } catch (error) {
        isBad = true
        sentences.push(this.#refusal(file.name, error))
      }
    }
    this.isBusy = false
    this.#tell(sentences.join(' '), isBad)
  }

  async #importOne(file: Blob): Promise<string> {
    const texts = this.#texts()
    const { chats, picturesLeftOut } = await readArchive(file)
    if (!chats.length) return texts.importedNone
    await (await this.#store).add(chats)
    for (const { head, entries } of chats) this.#indexTexts(head.id, entries)
    await this.#refresh()
    this.#tabs.tell({ kind: 'all' })
    if (chats.length === 1) await this.open(chats[0]!.head.id)
    const leftOut = picturesLeftOut ? [texts.picturesLeftOut(picturesLeftOut)] : []
    return [texts.imported(chats.length), ...leftOut].join(' ')
  }

  #refusal(file: string, error: unknown): string {
    const { refusals, problems } = this.#texts()
    if (error instanceof ArchiveError) return refusals[error.reason](file, error.where).trim()
    this.#fail(error)
    return problems[this.problem ?? 'refused']
  }

  /** A chat as it is here: kept, or only in memory. */
  async #whole(id: string): Promise<StoredChat | undefined> {
    const unsaved = this.#unsaved.get(id)
    if (!unsaved) return this.#attempt((store) => store.load(id))
    return { head: this.#unsavedHead(unsaved), ...saved(unsaved.entries) }
  }

  // ---- Other tabs ----

  async #hear(told: Told) {
    await this.#refresh()
    if (told.kind === 'all') {
      // Everything may have changed.
      this.#index.clear()
      if (this.#indexed) await (this.#indexed = this.#readTexts())
    } else if (this.#indexed) {
      const chat = told.kind === 'changed' ? await this.#attempt((store) => store.load(told.id)) : undefined
      if (chat) this.#indexTexts(told.id, chat.entries)
      else this.#index.delete(told.id)
    }
    await this.#follow()
  }

  /** Brings what is shown to what another tab has made of it. */
  async #follow() {
    await this.#saving
    const { shown } = this.#chat
    const revision = this.#revisions.get(shown)
    if (revision === undefined || this.#isBusyWith(shown)) return
    const head = this.#heads.find(({ id }) => id === shown.id)
    if (!head) {
      this.startNew()
      this.#tell(this.#texts().removedElsewhere, true)
    } else if (head.revision !== revision) await this.#renew()
  }

  /** Reads what is shown again, unless something is asked here meanwhile. */
  async #renew() {
    const { shown } = this.#chat
    const revision = this.#revisions.get(shown)
    const fresh = await this.#read(shown.id)
    const isAsItWas = this.#chat.shown === shown && this.#revisions.get(shown) === revision
    if (fresh && isAsItWas && !this.#isBusyWith(shown)) this.#show(fresh)
  }

  #isBusyWith(conversation: Conversation): boolean {
    return this.#chat.answering?.conversation === conversation || this.#unsaved.has(conversation.id)
  }

  /** Says what came of something. Good news goes by itself. */
  #tell(text: string, isBad = false) {
    clearTimeout(this.#noticeTimer)
    this.notice = { text, isBad }
    if (!isBad) this.#noticeTimer = setTimeout(() => (this.notice = undefined), NOTICE_MS)
    this.#say(text)
  }
}

const textsOf = (entries: StoredChat['entries']) => entries.map(({ text }) => text)
