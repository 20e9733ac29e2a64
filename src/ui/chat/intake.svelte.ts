import type { Session } from '../state/session.svelte'
import { filesOf } from './pictures'

const bringsFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false

/** Takes pictures that are pasted or dropped where its handlers are attached. */
export class Intake {
  #depth = $state(0)
  #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  get #takes(): boolean {
    const { screen, parts } = this.#session
    return screen === 'chat' && parts.upload && parts.composer
  }

  /** Files hang over it that would be taken. */
  get isOver(): boolean {
    return this.#depth > 0 && this.#takes
  }

  readonly onpaste = (event: ClipboardEvent) => {
    const files = filesOf(event.clipboardData)
    if (files.length === 0 || !this.#takes) return
    event.preventDefault()
    void this.#session.draft.add(files)
  }

  readonly ondragenter = (event: DragEvent) => {
    if (bringsFiles(event)) this.#depth++
  }

  readonly ondragleave = (event: DragEvent) => {
    if (bringsFiles(event)) this.#depth--
  }

  readonly ondragover = (event: DragEvent) => {
    if (bringsFiles(event)) event.preventDefault()
  }

  readonly ondrop = (event: DragEvent) => {
    this.#depth = 0
    if (!bringsFiles(event)) return
    // Without this the browser would leave the page for the file.
    event.preventDefault()
    if (this.#takes) void this.#session.draft.add(filesOf(event.dataTransfer))
  }
}
