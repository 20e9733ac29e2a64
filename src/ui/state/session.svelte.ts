import { createContext, untrack } from 'svelte'
import type { Picture } from '../chat/pictures'
import type { Problem, Remedy } from '../text/explain'
import { messagesOf, type Language, type MessageOverrides, type Messages } from '../text/messages'
import { laidOver } from '../text/messages/overrides'
import { Chat } from './chat.svelte'
import { Draft } from './draft.svelte'
import { EngineState, type Connect } from './engine.svelte'
import { ModelPicker } from './models.svelte'
import { Settings } from './settings.svelte'
import type { Keep } from './storage'

/** The screens there are; an element has no `train`. */
export type Screen = 'chat' | 'models' | 'train'

/** What of a chat is offered to the visitor. */
export interface Parts {
  /** The models screen. */
  picker: boolean
  settings: boolean
  /** Pictures of the visitor's own. */
  upload: boolean
  /** Everything that asks: the composer, editing, regenerating. */
  composer: boolean
}

export interface SessionOptions {
  connect: Connect
  /** Where settings are kept between visits. */
  keep: Keep
  /** Folder of the bundled models. Default: `models/` beside the page. */
  home?: string
}

/** One visitor's chat with one model. Components reach it by `getSession`, so several can live in one document. */
export class Session {
  language = $state<Language>('en')
  /** A page's own words in place of the language's. */
  overrides = $state.raw<MessageOverrides>({})
  /** Every word that is shown. */
  readonly texts: Messages = $derived(laidOver(messagesOf(this.language), this.overrides))

  readonly draft = new Draft(() => this.texts)
  readonly settings: Settings
  readonly engine: EngineState
  readonly models: ModelPicker
  readonly chat: Chat
  readonly parts = $state<Parts>({ picker: true, settings: true, upload: true, composer: true })

  #screen = $state<Screen>('chat')
  /** Where the visitor was before the models. */
  #before: Screen = 'chat'
  /** Read out by screen readers as it changes. */
  announcement = $state('')
  /** The picture shown large, if any. */
  enlarged = $state.raw<Picture>()
  areSettingsOpen = $state(false)
  /** Someone asked for the cursor: a new chat, a model that is ready. The composer gives it and takes this back. */
  isFocusWanted = $state(false)
  /** Someone asked for a server. The form where its address is typed takes this back. */
  isServerWanted = $state(false)
  /** Height of what the chat scrolls in, in pixels. */
  paneHeight = $state(0)

  constructor({ connect, keep, home }: SessionOptions) {
    this.settings = new Settings(keep)
    this.engine = new EngineState(connect, () => this.texts)
    this.models = new ModelPicker(this.engine, keep, home, () => this.texts)
    this.chat = new Chat(
      this.engine,
      this.settings,
      (text) => this.say(text),
      () => this.texts,
    )
  }

  get screen(): Screen {
    return this.#screen
  }

  set screen(next: Screen) {
    if (next === 'models' && this.#screen !== 'models') this.#before = this.#screen
    this.#screen = next
  }

  /** Heading of a screen. Within another's page it is none of the page's first level. */
  get topHeading(): 'h1' | 'h2' {
    return 'h1'
  }

  /** Questions may be written before a model is loaded; sending one loads it. */
  get loadsOnSend(): boolean {
    return false
  }

  /** What else loading a model would end, in a sentence; nothing where it ends nothing. */
  get loadWarning(): string {
    return ''
  }

  say(text: string) {
    // The same words twice are read twice only if they differ: a no-break space does.
    const last = untrack(() => this.announcement)
    this.announcement = last === text ? `${text}\u00a0` : text
  }

  focusComposer() {
    this.isFocusWanted = true
  }

  /** Whether the composer may take the cursor now; a page of its own always lets it. */
  mayTakeFocus(): boolean {
    return true
  }

  async newChat() {
    await this.chat.clear()
    this.screen = 'chat'
    this.focusComposer()
    this.say(this.texts.announcements.newChat)
  }

  /** Whether the draft may be sent now. */
  get canSend(): boolean {
    const { engine, draft } = this
    const hasEngine = engine.isReady || (this.loadsOnSend && engine.status === 'idle')
    return hasEngine && draft.text.trim() !== '' && !draft.isOpening
  }

  /** Sends the draft, if it may be sent. It stays where it is until a model is there to read it. */
  async send() {
    if (!this.canSend) return
    if (!this.engine.isReady && !(await this.load())) return
    if (!this.canSend) return
    const { text, pictures } = this.draft.take()
    await this.chat.send(text, pictures)
  }

  /** Loads what the picker holds and comes back to where the visitor was before, when it is ready. */
  load(which: 'chosen' | 'bundled' = 'chosen'): Promise<boolean> {
    return this.loading(() => (which === 'bundled' ? this.models.loadBundled() : this.models.load()))
  }

  async reloadModel() {
    await this.loading(() => this.engine.reload())
  }

  protected async loading(load: () => Promise<boolean>): Promise<boolean> {
    const { screen } = this
    const isReady = await load()
    if (isReady) {
      // Who went elsewhere meanwhile stays there.
      if (this.screen === screen) this.#comeBack()
      this.say(this.texts.announcements.modelReady)
    } else if (this.engine.problem) {
      this.say(this.engine.problem.title)
    }
    return isReady
  }

  #comeBack() {
    if (this.screen === 'models') this.screen = this.#before
    if (this.screen === 'chat') this.showChat()
  }

  /** Goes to the chat, to where questions are written. */
  showChat() {
    this.screen = 'chat'
    this.focusComposer()
  }

  /** A problem with those remedies alone that can be had here. */
  trimmed(problem: Problem): Problem {
    return { ...problem, remedies: problem.remedies.filter((remedy) => this.offers(remedy)) }
  }

  protected offers(remedy: Remedy): boolean {
    return (remedy !== 'choose-model' && remedy !== 'use-server') || this.parts.picker
  }

  /** Does what a problem's button says. `retry` means the load; an answer is retried where it stands. */
  async remedy(remedy: Remedy) {
    switch (remedy) {
      case 'reload-model':
      case 'retry':
        return this.reloadModel()
      case 'choose-model':
        this.screen = 'models'
        return
      case 'use-server':
        this.screen = 'models'
        this.isServerWanted = true
        return
      case 'new-chat':
        return this.newChat()
      case 'reload-page':
        location.reload()
    }
  }
}

export const [getSession, setSession] = createContext<Session>()
