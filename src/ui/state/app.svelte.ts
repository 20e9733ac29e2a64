import { createContext, untrack } from 'svelte'
import type { Example } from '../chat/examples'
import type { Picture } from '../chat/pictures'
import { nameAndMessage, type Remedy } from '../text/explain'
import { Chat } from './chat.svelte'
import type { RunDataStore } from '../train/run-data'
import type { ChatStore } from './chat-store'
import { Draft } from './draft.svelte'
import { EngineState, type Connect } from './engine.svelte'
import { ModelPicker } from './models.svelte'
import { Settings } from './settings.svelte'
import { Theme } from './theme.svelte'
import { Training } from './training.svelte'

/** The screens of the page. */
export type Screen = 'chat' | 'models' | 'train'

/** One page's worth of state. Components reach it by `getApp`, so several can live in one document. */
export class AppState {
  readonly theme = new Theme()
  readonly settings = new Settings()
  readonly draft = new Draft()
  readonly engine: EngineState
  readonly models: ModelPicker
  readonly chat: Chat
  readonly training: Training

  #screen = $state<Screen>('chat')
  /** Where the visitor was before the models. */
  #before: Screen = 'chat'
  /** Read out by screen readers as it changes. */
  announcement = $state('')
  /** The picture shown large, if any. */
  enlarged = $state.raw<Picture>()
  areSettingsOpen = $state(false)
  /** Counts requests to put the cursor in the composer; see Composer. */
  focusComposer = $state(0)

  constructor(connect: Connect, store: ChatStore, runData: RunDataStore) {
    this.engine = new EngineState(connect)
    this.models = new ModelPicker(this.engine)
    this.chat = new Chat(this.engine, this.settings, store, (text) => this.say(text))
    this.training = new Training(this.engine, runData, (text) => this.say(text))
  }

  get screen(): Screen {
    return this.#screen
  }

  set screen(next: Screen) {
    if (next === 'models' && this.#screen !== 'models') this.#before = this.#screen
    this.#screen = next
  }

  async start() {
    void this.chat.restore()
    // Failures reach the banner through the engine's state.
    await this.engine.probe().catch(() => {})
  }

  say(text: string) {
    // The same words twice are read twice only if they differ: a no-break space does.
    const last = untrack(() => this.announcement)
    this.announcement = last === text ? `${text}\u00a0` : text
  }

  async newChat() {
    await this.chat.clear()
    this.screen = 'chat'
    this.focusComposer++
    this.say('New chat')
  }

  /** Sends the draft, if it may be sent. */
  async send() {
    if (!this.engine.isReady || !this.draft.text.trim() || this.draft.isOpening) return
    const { text, pictures } = this.draft.take()
    await this.chat.send(text, pictures)
  }

  /** Loads what the picker holds and comes back to where the visitor was before, when it is ready. */
  load(which: 'chosen' | 'bundled' = 'chosen'): Promise<boolean> {
    return this.#loading(() => (which === 'bundled' ? this.models.loadBundled() : this.models.load()))
  }

  async reloadModel() {
    await this.#loading(() => this.engine.reload())
  }

  async #loading(load: () => Promise<boolean>): Promise<boolean> {
    const { screen } = this
    // Its last step is kept; it goes on when its model is there again.
    await this.training.letGo()
    const isReady = await load()
    if (isReady) {
      // Who went elsewhere meanwhile stays there.
      if (this.screen === screen) this.#comeBack()
      this.say('Model ready')
    } else if (this.engine.problem) {
      this.say(this.engine.problem.title)
    }
    // A new worker knows what became of the run.
    if (this.training.hasListed) void this.training.refresh()
    return isReady
  }

  #comeBack() {
    if (this.screen === 'models') this.screen = this.#before
    if (this.screen === 'chat') this.showChat()
  }

  /** Goes to the chat, to where questions are written. */
  showChat() {
    this.screen = 'chat'
    this.focusComposer++
  }

  /** Asks an example's question about its picture, starting the bundled model where none is loaded. */
  async askExample(example: Example) {
    if (this.engine.status === 'idle' && !(await this.load('bundled'))) return
    if (!this.engine.isReady) return
    try {
      const response = await fetch(example.file)
      if (!response.ok) throw new Error(`example: expected 200, came ${response.status}`)
      const blob = await response.blob()
      await this.draft.add([new File([blob], example.title, { type: blob.type })])
    } catch (error) {
      this.draft.notice = `The example could not be opened. ${nameAndMessage(error).message}`
      return
    }
    if (this.draft.notice) return
    this.draft.text = example.question
    await this.send()
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
      case 'new-chat':
        return this.newChat()
      case 'reload-page':
        location.reload()
    }
  }
}

export const [getApp, setApp] = createContext<AppState>()
