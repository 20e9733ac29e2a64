import { untrack } from 'svelte'
import { withEndpoints } from '../../remote/engine-switch'
import type { Picture } from '../chat/pictures'
import { Session } from '../state/session.svelte'
import { noKeep } from '../state/storage'
import { isAbort, nameAndMessage, type Remedy } from '../text/explain'
import { openSource } from './image-source'
import { PageImages } from './page-images'
import { engines } from './start-engine'
import {
  TrilobiteChatError,
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

/** How long an answer may take to stop before its engine is given back under it. */
const STOP_MS = 2000

/** What one `<trilobite-chat>` knows. It outlives the element's place in a document; its engine does not. */
export class ElementSession extends Session {
  theme = $state<ThemeName>('auto')
  /** In place of the words above an empty chat. */
  greeting = $state('')
  readonly images = new PageImages({
    add: (source) => this.addImage(source).catch(() => undefined),
    remove: (picture) => {
      if (this.draft.pictures.includes(picture)) this.draft.remove(picture)
    },
  })

  /** The loaded model by the name the page gave it, where the engine may know an address alone. */
  readonly modelInfo: ModelInfo | undefined = $derived.by(() => {
    const { model, target } = this.engine
    return model && { ...model, model: target?.label ?? model.model }
  })

  #emit: Emit
  #hasFocus: () => boolean
  /** The visitor started something here, so the cursor may go to the composer when it is done. */
  #isStartedHere = false
  #asking: Promise<unknown> = Promise.resolve()
  #adding: Promise<unknown> = Promise.resolve()
  #releasing: Promise<unknown> = Promise.resolve()
  /** Counts releases: what was asked for before one must not load a model after it. */
  #releases = 0

  constructor(emit: Emit, hasFocus: () => boolean, home: string) {
    super({ connect: withEndpoints((onCrash) => engines.lease(onCrash)), keep: noKeep, home })
    this.#emit = emit
    this.#hasFocus = hasFocus
    this.chat.listener = {
      token: ({ id }, text, index) => emit('token', { id, text, index }),
      done: (outcome) => {
        if ('reply' in outcome) {
          const { answer, reply } = outcome
          emit('answer', { id: answer.id, text: reply.text, finish: reply.finish, reply })
        } else if (this.engine.status !== 'lost') {
          // Of a lost engine its problem tells.
          this.#tell(outcome.error)
        }
      },
    }
    // Listeners are the page's: what they read must not bring the event again.
    $effect.root(() => {
      $effect(() => {
        const { progress } = this.engine
        if (progress) untrack(() => emit('progress', progress))
      })
      $effect(() => {
        const { modelInfo } = this
        if (modelInfo) untrack(() => emit('ready', modelInfo))
      })
      $effect(() => {
        const { problem } = this.engine
        if (!problem) return
        const { name, detail, title, advice } = problem
        untrack(() => emit('error', { name, message: detail || title, title, advice }))
      })
    })
  }

  override get topHeading() {
    return 'h2' as const
  }

  override get loadsOnSend(): boolean {
    return true
  }

  /** The visitor did something here that may end with the cursor in the composer. */
  startedHere() {
    this.#isStartedHere = true
  }

  override mayTakeFocus(): boolean {
    const isFree = this.#isStartedHere && document.activeElement === document.body
    this.#isStartedHere = false
    return isFree || this.#hasFocus()
  }

  protected override offers(remedy: Remedy): boolean {
    // The page is another's.
    return remedy !== 'reload-page' && super.offers(remedy)
  }

  override async send() {
    this.startedHere()
    const isCurrent = this.#ticket()
    if (!this.canSend) return
    if (!this.engine.isReady && !(await this.load())) return
    await this.images.settled
    if (isCurrent()) await super.send()
  }

  override async load(which: 'chosen' | 'bundled' = 'chosen'): Promise<boolean> {
    const isCurrent = this.#ticket()
    await this.#releasing
    if (!isCurrent()) return false
    this.images.fetch()
    return super.load(which)
  }

  override async reloadModel() {
    // After another model was named there is none to come back to.
    if (this.engine.target) await super.reloadModel()
    else await this.load()
  }

  /** Loads the model, unless one is there or on its way. */
  async wake(): Promise<void> {
    const isCurrent = this.#ticket()
    await this.#releasing
    const { status } = this.engine
    if (isCurrent() && (status === 'idle' || status === 'probing')) await this.load()
  }

  /** Pictures of the page, in place of those it gave before. They are fetched when something is first asked for. */
  setImages(sources: readonly ImageSource[]) {
    if (this.images.set(sources) && this.engine.status !== 'idle') this.images.fetch()
  }

  /** Puts a picture into the composer, after those that were named before. Throws: TrilobiteChatError. */
  addImage(source: ImageSource): Promise<Picture> {
    const next = this.#adding.then(() => this.#add(source))
    this.#adding = next.catch(() => {})
    return next
  }

  async #add(source: ImageSource): Promise<Picture> {
    const { draft } = this
    try {
      const picture = await openSource(source, draft.pictures.length + 1, this.texts)
      const same = draft.pictures.find(({ id }) => id === picture.id)
      if (same) URL.revokeObjectURL(picture.url)
      else draft.pictures = [...draft.pictures, picture]
      return same ?? picture
    } catch (error) {
      draft.notice = nameAndMessage(error).message
      this.#tell(error)
      throw error
    }
  }

  /** Loads the model if need be. Throws: TrilobiteChatError. */
  async whenReady(): Promise<void> {
    this.#isStartedHere = false
    const { engine } = this
    const isCurrent = this.#ticket()
    await this.#releasing
    if (engine.status === 'answering') return
    const isComing = () => engine.status === 'loading' || engine.status === 'recovering'
    if (isComing()) await until(() => !isComing())
    else if (!engine.isReady) await (engine.status === 'lost' ? this.reloadModel() : this.load())
    if (isCurrent() && (engine.isReady || engine.isBusy)) return
    const { problem } = engine
    throw problem
      ? new TrilobiteChatError(problem.name, problem.detail || problem.title)
      : new TrilobiteChatError('AbortError', 'load: it was cancelled. Load again.')
  }

  /** Asks as the visitor would, after what was asked before. Throws: TrilobiteChatError. */
  ask(text: string, images: readonly ImageSource[]): Promise<Reply> {
    const isCurrent = this.#ticket()
    const next = this.#asking.then(() => this.#ask(text, images, isCurrent))
    this.#asking = next.catch(() => {})
    return next
  }

  async #ask(text: string, images: readonly ImageSource[], isCurrent: () => boolean): Promise<Reply> {
    const { engine, draft, chat } = this
    if (typeof text !== 'string' || !text.trim())
      throw new TrilobiteChatError('TypeError', 'ask: expected a question, got an empty text.')
    const own = await this.#open(images)
    try {
      if (isCurrent()) await this.whenReady()
      await this.images.settled
      await until(() => !engine.isAsking && engine.status !== 'recovering')
      if (!isCurrent() || !engine.isReady)
        throw new TrilobiteChatError(
          'AbortError',
          'ask: expected the model to stay, but it was unloaded before it could answer. Ask again.',
        )
    } catch (error) {
      release(own)
      throw error
    }
    const unsent = draft.text
    const { pictures } = draft.take()
    draft.text = unsent
    const added = own.filter(({ id }) => !pictures.some((picture) => picture.id === id))
    const outcome = (await chat.send(text, [...pictures, ...added]))!
    if ('reply' in outcome) return outcome.reply
    const { name, message } = nameAndMessage(outcome.error)
    throw new TrilobiteChatError(name, message)
  }

  /** All of them or none. */
  async #open(sources: readonly ImageSource[]): Promise<Picture[]> {
    const opened = await Promise.allSettled(sources.map((source, i) => openSource(source, i + 1, this.texts)))
    const pictures = opened.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
    const refused = opened.find((one) => one.status === 'rejected')
    if (!refused) return pictures
    release(pictures)
    this.#tell(refused.reason)
    throw refused.reason as Error
  }

  #tell(error: unknown) {
    if (!isAbort(error)) this.#emit('error', nameAndMessage(error))
  }

  /** Tells later whether the model was let go meanwhile. */
  #ticket(): () => boolean {
    const releases = this.#releases
    return () => releases === this.#releases
  }

  /** Gives the engine back, and with it the memory of the GPU where nobody else uses it. */
  release(): Promise<void> {
    this.#releases++
    const next = this.#releasing.then(() => this.#letGo())
    this.#releasing = next
    return next
  }

  async #letGo() {
    const { engine, chat } = this
    await engine.cancelLoad()
    await chat.stop()
    await Promise.race([until(() => !engine.isAsking), delay(STOP_MS)])
    engine.dispose()
    engine.target = undefined
  }
}

function release(pictures: readonly Picture[]) {
  for (const { url } of pictures) URL.revokeObjectURL(url)
}

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
