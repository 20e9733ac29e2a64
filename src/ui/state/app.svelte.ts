import { createContext } from 'svelte'
import type { Example } from '../chat/examples'
import { Chats, type ChatsOptions } from '../chats/chats.svelte'
import { tabKeep } from '../chats/tabs'
import { chatsMessagesOf, type ChatsMessages } from '../text/messages/chats'
import { nameAndMessage } from '../text/explain'
import type { RunDataStore } from '../train/run-data'
import type { Connect } from './engine.svelte'
import { Session } from './session.svelte'
import { localKeep } from './storage'
import { Theme } from './theme.svelte'
import { Training } from './training.svelte'

/** The page's ways to what is kept and to its other tabs. */
export type ChatsPlace = Pick<ChatsOptions, 'open' | 'tabs'>

const LIST_KEY = 'trilobite.chats'

/** The whole page's state: a chat, and what only a page of its own has. */
export class AppState extends Session {
  readonly theme = new Theme()
  readonly training: Training
  readonly chats: Chats
  /** Words of the list of chats, which no element has. */
  readonly chatsTexts: ChatsMessages = $derived(chatsMessagesOf(this.language))
  /** Wide screens show the list of chats beside the chat. */
  isListShown = $state(true)
  /** Narrow ones show it over the page. */
  isListOpen = $state(false)

  constructor(connect: Connect, place: ChatsPlace, runData: RunDataStore) {
    super({ connect, keep: localKeep })
    this.isListShown = localKeep.read(LIST_KEY) !== false
    this.chats = new Chats({
      ...place,
      chat: this.chat,
      keep: tabKeep,
      modelName: () => this.engine.target?.label ?? '',
      say: (text) => this.say(text),
      texts: () => this.chatsTexts,
    })
    this.training = new Training(this.engine, runData, (text) => this.say(text))
  }

  override get loadWarning(): string {
    return this.training.isTraining
      ? 'A run is going on. Loading stops it behind a checkpoint; it can be resumed with its own model.'
      : ''
  }

  async start() {
    void this.chats.start()
    // Failures reach the banner through the engine's state.
    await this.engine.probe().catch(() => {})
  }

  protected override async loading(load: () => Promise<boolean>): Promise<boolean> {
    // Its last step is kept; it goes on when its model is there again.
    await this.training.letGo()
    const isReady = await super.loading(load)
    // A new worker knows what became of the run.
    if (this.training.hasListed) void this.training.refresh()
    return isReady
  }

  override async newChat() {
    this.chats.startNew()
    this.isListOpen = false
    this.showChat()
    this.say(this.texts.announcements.newChat)
  }

  async openChat(id: string) {
    await this.chats.open(id)
    this.isListOpen = false
    this.showChat()
  }

  showList(isShown: boolean) {
    this.isListShown = isShown
    localKeep.write(LIST_KEY, isShown)
  }

  /** Takes what was pasted or dropped: exported chats, and pictures. */
  async take(files: readonly File[]) {
    const exports = files.filter(({ name, type }) => type === 'application/json' || /\.json$/i.test(name))
    if (exports.length) void this.chats.import(exports)
    await this.draft.add(files.filter((file) => !exports.includes(file)))
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
}

export const [getApp, setApp] = createContext<AppState>()
