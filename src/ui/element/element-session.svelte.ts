import type { Picture } from '../chat/pictures'
import { Session } from '../state/session.svelte'
import { noKeep } from '../state/storage'
import { isAbort, nameAndMessage, type Remedy } from '../text/explain'
import { fileOf } from './image-source'
import { engines } from './start-engine'
import {
  TrilobiteChatError,
  type ErrorDetail,
  type ImageSource,
  type ModelInfo,
  type Reply,
  type ThemeName,
  type TrilobiteChatEventMap,
} from './types'

type EventDetails = {
  [
    Type in keyof TrilobiteChatEventMap as Type extends `trilobite-${infer Name}` ? Name : never
  ]: TrilobiteChatEventMap[Type]['detail']
}

/** Tells the page what happens. */
export type Emit = <Name extends keyof EventDetails>(name: Name, detail: EventDetails[Name]) => void

const nothingKept = { load: () => Promise.resolve(undefined), save: () => Promise.resolve() }

/** What one `<trilobite-chat>` knows. It outlives the element's place in a document; its engine does not. */
export class ElementSession extends Session {
  theme = $state<ThemeName>('auto')
  /** In place of the words above an empty chat. */
  greeting = $state('')
  /** The visitor started something here, so the cursor may go to the composer when it is done. */
  isStartedHere = false

  #emit: Emit
  #hasFocus: () => boolean
  #asking: Promise<unknown> = Promise.resolve()
  /** The page's own pictures that are not fetched yet. */
  #awaited: readonly ImageSource[] = []
  /** Those that are. */
  #given: readonly Picture[] = []
  #taking: Promise<void> = Promise.resolve()
  #adding: Promise<unknown> = Promise.resolve()

  constructor(emit: Emit, hasFocus: () => boolean, home: string) {
    super({ connect: (onCrash) => engines.lease(onCrash), store: nothingKept, keep: noKeep, home })
    this.#emit = emit
    this.#hasFocus = hasFocus
    this.chat.isRestoring = false
    this.chat.listener = {
      token: ({ id }, text, index) => emit('token', { id, text, index }),
      done: (outcome) => {
        if ('error' in outcome) this.#tell(outcome.error)
        else {
          const { answer, reply } = outcome
          emit('answer', { id: answer.id, text: reply.text, finish: reply.finish, reply })
        }
      },
    }
    $effect.root(() => {
      $effect(() => {
        const { progress } = this.engine
        if (progress) emit('progress', progress)
      })
      $effect(() => {
        const { modelInfo } = this
        if (modelInfo) emit('ready', modelInfo)
      })
      $effect(() => {
        const { problem } = this.engine
        if (!problem) return
        const { name, detail, title, advice } = problem
        emit('error', { name, message: detail || title, title, advice })
      })
    })
  }

  /** The loaded model by the name the page gave it, where the engine may know an address alone. */
  get modelInfo(): ModelInfo | undefined {
    const { model, target } = this.engine
    return model && { ...model, model: target?.label ?? model.model }
  }

  override get topHeading() {
    return 'h2' as const
  }

  override get loadsOnSend(): boolean {
    return true
  }

  override mayTakeFocus(): boolean {
    return this.#hasFocus() || (this.isStartedHere && document.activeElement === document.body)
  }

  protected override offers(remedy: Remedy): boolean {
    // The page is another's.
    return remedy !== 'reload-page' && super.offers(remedy)
  }

  override async send() {
    this.isStartedHere = true
    if (!this.canSend) return
    if (!this.engine.isReady && !(await this.load())) return
    await this.#taking
    await super.send()
  }

  override async load(which: 'chosen' | 'bundled' = 'chosen'): Promise<boolean> {
    this.#take()
    return super.load(which)
  }

  /** Pictures of the page, in place of those it gave before. They are fetched when something is first asked for. */
  setImages(sources: readonly ImageSource[]) {
    for (const picture of this.#given) if (this.draft.pictures.includes(picture)) this.draft.remove(picture)
    this.#given = []
    this.#awaited = sources
    if (this.engine.status !== 'idle') this.#take()
  }

  #take() {
    const sources = this.#awaited
    if (sources.length === 0) return
    this.#awaited = []
    this.#taking = this.#taking.then(async () => {
      const before = this.draft.pictures
      await Promise.allSettled(sources.map((source) => this.addImage(source)))
      this.#given = this.draft.pictures.filter((picture) => !before.includes(picture))
    })
  }

  /** Puts a picture into the composer, one at a time, so that each is told its own trouble. Throws: TrilobiteChatError. */
  addImage(source: ImageSource): Promise<void> {
    const next = this.#adding.then(() => this.#add(source))
    this.#adding = next.catch(() => {})
    return next
  }

  async #add(source: ImageSource): Promise<void> {
    const { draft } = this
    try {
      const file = await fileOf(source, this.texts.pictures.pasted(draft.pictures.length + 1))
      await draft.add([file])
      if (draft.notice) throw new TrilobiteChatError('ImageError', draft.notice)
    } catch (error) {
      const { name, message } = nameAndMessage(error)
      draft.notice ||= message
      this.#tell(error)
      throw new TrilobiteChatError(name, message)
    }
  }

  /** Loads the model if need be. Throws: TrilobiteChatError. */
  async whenReady(): Promise<void> {
    const { engine } = this
    if (engine.status === 'answering') return
    if (engine.status === 'loading') await until(() => engine.status !== 'loading')
    else if (!engine.isReady) await (engine.status === 'lost' ? this.reloadModel() : this.load())
    if (engine.isReady || engine.isBusy) return
    const { problem } = engine
    throw problem
      ? new TrilobiteChatError(problem.name, problem.detail || problem.title)
      : new TrilobiteChatError('AbortError', 'load: cancelled.')
  }

  /** Asks as the visitor would, after what was asked before. Throws: TrilobiteChatError. */
  ask(text: string, images: readonly ImageSource[]): Promise<Reply> {
    const next = this.#asking.then(() => this.#ask(text, images))
    this.#asking = next.catch(() => {})
    return next
  }

  async #ask(text: string, images: readonly ImageSource[]): Promise<Reply> {
    if (!text.trim())
      throw new TrilobiteChatError('TypeError', 'ask: expected a question, got an empty text.')
    for (const image of images) await this.addImage(image)
    await this.whenReady()
    await this.#taking
    await until(() => !this.chat.running)
    const unsent = this.draft.text
    const { pictures } = this.draft.take()
    this.draft.text = unsent
    const outcome = await this.chat.send(text, pictures)
    if (!outcome)
      throw new TrilobiteChatError('AbortError', 'ask: the model was unloaded before it could answer.')
    if ('reply' in outcome) return outcome.reply
    const { name, message } = nameAndMessage(outcome.error)
    throw new TrilobiteChatError(name, message)
  }

  #tell(error: unknown) {
    if (isAbort(error)) return
    const { name, message } = nameAndMessage(error)
    const detail: ErrorDetail = { name, message }
    this.#emit('error', detail)
  }

  /** Gives the engine back, and with it the memory of the GPU where nobody else uses it. */
  async release(): Promise<void> {
    await this.engine.cancelLoad()
    await this.chat.stop()
    await Promise.race([until(() => !this.chat.running), delay(STOP_MS)])
    this.engine.dispose()
  }
}

/** How long an answer may take to stop before its engine is given back under it. */
const STOP_MS = 2000
const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves when a condition on the state holds. */
function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const end = $effect.root(() => {
      $effect(() => {
        if (!condition()) return
        resolve()
        queueMicrotask(() => end())
      })
    })
  })
}
