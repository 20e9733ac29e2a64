import type { Session } from '../state/session.svelte'
import { filesOf } from './pictures'

const bringsFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false

/** Takes pictures that are pasted or dropped where its handlers are attached. */
export class Intake {
  #depth = $state(0)
  #session: Session
  #take: (files: File[]) => unknown

  constructor(session: Session, take: (files: File[]) => unknown = (files) => session.draft.add(files)) {
    this.#session = session
    this.#take = take
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
    this.#take(files)
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
    if (this.#takes) this.#take(filesOf(event.dataTransfer))
  }
}
