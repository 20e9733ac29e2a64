import { createContext } from 'svelte'
import type { Example } from '../chat/examples'
import { nameAndMessage } from '../text/explain'
import type { RunDataStore } from '../train/run-data'
import type { ChatStore } from './chat-store'
import type { Connect } from './engine.svelte'
import { Session } from './session.svelte'
import { localKeep } from './storage'
import { Theme } from './theme.svelte'
import { Training } from './training.svelte'

/** The whole page's state: a chat, and what only a page of its own has. */
export class AppState extends Session {
  readonly theme = new Theme()
  readonly training: Training

  constructor(connect: Connect, store: ChatStore, runData: RunDataStore) {
    super({ connect, store, keep: localKeep })
    this.training = new Training(this.engine, runData, (text) => this.say(text))
  }

  override get loadWarning(): string {
    return this.training.isTraining
      ? 'A run is going on. Loading stops it behind a checkpoint; it can be resumed with its own model.'
      : ''
  }

  async start() {
    void this.chat.restore()
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
