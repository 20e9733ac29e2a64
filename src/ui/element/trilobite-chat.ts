import { mount, unmount } from 'svelte'
import type { LoadProgress, ModelInfo, Reply } from '../../worker/api'
import '../styles/base.css'
import '../styles/tokens.css'
import { LANGUAGES, closestLanguage, type Language } from '../text/messages'
import {
  AttributeError,
  parseContextLength,
  parseDtype,
  parseEndpointUrl,
  parseFlag,
  parseFolder,
  parseHide,
  parseHub,
  parseModel,
  parseTheme,
  words,
} from './attributes'
import './element.css'
import { ElementSession } from './element-session.svelte'
import ElementView from './ElementView.svelte'
import { isOn, isTrue, nearestLang, stopTyping } from './host-page'
import {
  TrilobiteChatError,
  type AskOptions,
  type ChatStatus,
  type ConversationMessage,
  type ImageSource,
  type Texts,
  type TrilobiteChatEventMap,
} from './types'

/** Where there is no document, as on a server that renders pages, the module can still be imported. */
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement

const ATTRIBUTES = [
  'autoload',
  'context-length',
  'dtype',
  'endpoint',
  'greeting',
  'hide',
  'hub-endpoint',
  'images',
  'language',
  'model',
  'models-url',
  'readonly',
  'system-prompt',
  'theme',
] as const
type Attribute = (typeof ATTRIBUTES)[number]

/** Attributes that say which model is meant: a change of one lets the loaded model go. */
const OF_MODEL: ReadonlySet<Attribute> = new Set([
  'context-length',
  'dtype',
  'endpoint',
  'hub-endpoint',
  'model',
  'models-url',
])

/** Properties that a framework may have set before the element was defined. */
const PROPERTIES = [
  'apiKey',
  'autoload',
  'contextLength',
  'dtype',
  'endpoint',
  'greeting',
  'hide',
  'hubEndpoint',
  'images',
  'language',
  'model',
  'modelsUrl',
  'readOnly',
  'systemPrompt',
  'texts',
  'theme',
  'token',
] as const

/** Folder of the bundled models. */
let home = ''

/** Tells where the package's module lies, beside whose folder the bundled models are. */
export function setHome(moduleUrl: string | undefined) {
  try {
    home = new URL('../models/', moduleUrl).href
  } catch {
    // A bundler's or a blob's address is no place: the page names one by `models-url`, or has them beside itself.
    home = new URL('models/', globalThis.document?.baseURI ?? 'https://localhost').href
  }
}

/**
 * `<trilobite-chat>`: a chat about pictures with a vision-language model that runs on the visitor's own GPU.
 *
 * Nothing is fetched and no GPU is opened before the visitor presses Start or asks, or the page calls `load` or `ask` or sets
 * `autoload`. Elements of one page that use the same model share its engine and weights. Attributes and properties of the
 * same name mirror each other; a value that is not known is a warning in the console and a `trilobite-error`, and the default
 * is used.
 */
export class TrilobiteChat extends Base {
  /** @internal */
  static readonly observedAttributes: readonly string[] = ATTRIBUTES

  readonly #session: ElementSession
  readonly #root: ShadowRoot
  #view: Record<string, unknown> | undefined
  #release: ReturnType<typeof setTimeout> | undefined
  /** The model was there when the element left its document, and is wanted again when it comes back. */
  #wasLoaded = false
  #isModelStale = false
  #apiKey = ''
  /** Of the attribute, where it names one. */
  #language: Language | undefined

  constructor() {
    super()
    this.#session = new ElementSession(
      (name, detail) =>
        this.dispatchEvent(new CustomEvent(`trilobite-${name}`, { detail, bubbles: true, composed: true })),
      () => this.matches(':focus-within'),
      home,
    )
    this.#root = this.attachShadow({ mode: 'open' })
    this.#adoptStyles()
    // The page's own shortcuts see the element as what was typed into, and would take letters for commands.
    for (const type of ['keydown', 'keypress', 'keyup'] as const)
      this.addEventListener(type, (event) => stopTyping(event, this.#root))
  }

  // ---- What the page sets ----

  /**
   * The model: a Hugging Face repository (`owner/name`, `owner/name@revision`), the address of a folder that holds
   * config.json, the tokenizer and the weights, or `bundled` or `bundled/NAME` for one that comes with the package.
   * Default: `bundled`. Where there is an `endpoint`: the name its server knows; by default its only one.
   */
  get model(): string {
    return this.getAttribute('model') ?? 'bundled'
  }
  set model(value: string) {
    this.#reflect('model', value)
  }

  /** How weights are held on the GPU: `auto`, `f32`, `f16`, `q8` or `q4`. Default: `auto`. */
  get dtype(): string {
    return this.getAttribute('dtype') ?? 'auto'
  }
  set dtype(value: string) {
    this.#reflect('dtype', value)
  }

  /** Longest conversation in tokens. Default: the model's own limit, 4096 at most. */
  get contextLength(): number | undefined {
    const value = this.getAttribute('context-length')
    return value === null ? undefined : Number(value)
  }
  set contextLength(value: number | undefined) {
    this.#reflect('context-length', value)
  }

  /** Another hub than https://huggingface.co, with the same paths. */
  get hubEndpoint(): string {
    return this.getAttribute('hub-endpoint') ?? ''
  }
  set hubEndpoint(value: string) {
    this.#reflect('hub-endpoint', value)
  }

  /**
   * A server that answers in place of this device, by what OpenAI's `/chat/completions` follows there, such as
   * `https://example.com/v1`. Pictures and questions are sent to it; the element says so.
   */
  get endpoint(): string {
    return this.getAttribute('endpoint') ?? ''
  }
  set endpoint(value: string) {
    this.#reflect('endpoint', value)
  }

  /** Key for the endpoint; sent to it alone. A property only: attributes lie open. */
  get apiKey(): string {
    return this.#apiKey
  }
  set apiKey(value: string) {
    this.#apiKey = String(value ?? '')
    this.#updateKey()
  }

  /** Folder that holds the bundled models. Default: `../models/` beside this module, as in the package. */
  get modelsUrl(): string {
    return this.getAttribute('models-url') ?? ''
  }
  set modelsUrl(value: string) {
    this.#reflect('models-url', value)
  }

  /** Access token for private or gated repositories; sent to the hub alone. A property only: attributes lie open. */
  get token(): string {
    return this.#session.models.token
  }
  set token(value: string) {
    this.#session.models.token = String(value ?? '')
  }

  /** Goes before the conversation. */
  get systemPrompt(): string {
    return this.getAttribute('system-prompt') ?? ''
  }
  set systemPrompt(value: string) {
    this.#reflect('system-prompt', value)
  }

  /** Stands above an empty chat. */
  get greeting(): string {
    return this.getAttribute('greeting') ?? ''
  }
  set greeting(value: string) {
    this.#reflect('greeting', value)
  }

  /**
   * Pictures for the next question: addresses, which the page must be allowed to read, or files. They are fetched when the
   * model is. As an attribute: addresses between spaces.
   */
  get images(): readonly ImageSource[] {
    return this.#session.images.sources
  }
  set images(value: readonly ImageSource[] | ImageSource | null | undefined) {
    const isOne = value instanceof Blob || value instanceof URL
    this.#session.setImages(isOne ? [value] : typeof value === 'string' ? words(value) : [...(value ?? [])])
  }

  /** Shows the conversation without a way to ask; the page asks by `ask`. */
  get readOnly(): boolean {
    return isOn(this.getAttribute('readonly'))
  }
  set readOnly(value: boolean) {
    this.toggleAttribute('readonly', isTrue(value))
  }

  /** For frameworks that look for a property of the attribute's name. @internal */
  get readonly(): boolean {
    return this.readOnly
  }
  /** @internal */
  set readonly(value: boolean) {
    this.readOnly = value
  }

  /** Parts to leave out, between spaces: `picker`, `settings`, `upload`. */
  get hide(): string {
    return this.getAttribute('hide') ?? ''
  }
  set hide(value: string | readonly string[] | null | undefined) {
    this.#reflect('hide', Array.isArray(value) ? value.join(' ') : (value as string))
  }

  /** `light`, `dark`, or `auto` for what the system says. Default: `auto`. */
  get theme(): string {
    return this.getAttribute('theme') ?? 'auto'
  }
  set theme(value: string) {
    this.#reflect('theme', value)
  }

  /** Language of the element's words, as a BCP 47 tag: `en`, `de`, `es`, `fr`, `zh`. Default: that of the nearest `lang`. */
  get language(): string {
    return this.getAttribute('language') ?? ''
  }
  set language(value: string) {
    this.#reflect('language', value)
  }

  /** Words in place of the element's own, by their names in its catalogue. */
  get texts(): Texts {
    return this.#session.overrides
  }
  set texts(value: Texts) {
    this.#session.overrides = value ?? {}
  }

  /** Loads the model as soon as the element is in a document, without asking the visitor. */
  get autoload(): boolean {
    return isOn(this.getAttribute('autoload'))
  }
  set autoload(value: boolean) {
    this.toggleAttribute('autoload', isTrue(value))
  }

  // ---- What the page may read ----

  /** What the element is doing. */
  get status(): ChatStatus {
    return this.#session.engine.status
  }

  /** The loaded model. */
  get modelInfo(): ModelInfo | undefined {
    return this.#session.modelInfo
  }

  /** How far a load is. */
  get progress(): LoadProgress | undefined {
    return this.#session.engine.progress
  }

  /** The conversation so far. */
  get messages(): readonly ConversationMessage[] {
    return this.#session.chat.entries.map((entry) => ({
      role: entry.role,
      text: entry.text,
      images: entry.role === 'user' ? entry.pictures.map(({ blob }) => blob) : [],
    }))
  }

  // ---- What the page may do ----

  /**
   * Asks as the visitor would, with the pictures that wait in the composer; loads the model if need be, and waits for answers
   * asked for before.
   *
   * Throws: TrilobiteChatError. An answer that is stopped resolves with what was said.
   */
  ask(text: string, { images = [] }: AskOptions = {}): Promise<Reply> {
    this.#updateModel()
    return this.#session.ask(text, images)
  }

  /** Ends the running answer; what was said stays. */
  stop(): Promise<void> {
    return this.#session.chat.stop()
  }

  /** Starts a new conversation. */
  clear(): Promise<void> {
    return this.#session.chat.clear()
  }

  /**
   * Loads the model, also of an element that is in no document; `unload` then frees it.
   *
   * Throws: TrilobiteChatError; AbortError where it was cancelled.
   */
  async load(): Promise<ModelInfo> {
    this.#updateModel()
    await this.#session.whenReady()
    const { modelInfo } = this
    if (!modelInfo)
      throw new TrilobiteChatError(
        'AbortError',
        'load: expected a model, but it was unloaded meanwhile. Load it again.',
      )
    return modelInfo
  }

  /**
   * Cancels a load, or frees the model and, where no other element uses it, the GPU's memory. The conversation stays; what was
   * asked and not answered yet rejects with AbortError.
   */
  unload(): Promise<void> {
    this.#wasLoaded = false
    return this.#session.release()
  }

  /** Puts a picture into the composer. Throws: TrilobiteChatError where it cannot be read. */
  async addImage(image: ImageSource): Promise<void> {
    await this.#session.addImage(image)
  }

  /** Puts the cursor where questions are written. */
  override focus(options?: FocusOptions): void {
    const at = (selector: string) => this.#root.querySelector<HTMLElement>(selector)
    ;(at('[part~=input]:enabled') ?? at('[part~=start]:enabled'))?.focus(options)
  }

  // ---- The life of an element ----

  /** @internal */
  connectedCallback(): void {
    clearTimeout(this.#release)
    this.#upgradeProperties()
    this.#applyLanguage()
    this.#view ??= mount(ElementView, { target: this.#root, props: { session: this.#session } })
    this.#updateModel()
    if (this.autoload || this.#wasLoaded) void this.#wake()
  }

  /** @internal */
  disconnectedCallback(): void {
    const session = this.#session
    // A modal that is moved is modal no more.
    session.areSettingsOpen = false
    session.enlarged = undefined
    // Whoever only moves it has put it back by then.
    this.#release = setTimeout(() => {
      this.#wasLoaded ||= this.modelInfo !== undefined || this.status === 'loading'
      if (this.#view) void unmount(this.#view)
      this.#view = undefined
      void session.release()
    })
  }

  /** Loads behind a release that is under way, where the element is still wanted by then. */
  async #wake(): Promise<void> {
    await this.#session.wake()
    if (this.isConnected) this.#wasLoaded = false
  }

  /** Moved in one piece: nothing to do. @internal */
  connectedMoveCallback(): void {}

  /** @internal */
  adoptedCallback(): void {
    // What is in no window, as in a template, is shown by none and has no sheets.
    if (this.ownerDocument.defaultView) this.#adoptStyles()
  }

  /** @internal */
  attributeChangedCallback(name: Attribute, before: string | null, value: string | null): void {
    if (before === value) return
    if (OF_MODEL.has(name)) {
      this.#isModelStale = true
      // Several may change at once.
      if (this.isConnected) queueMicrotask(() => this.#updateModel())
      return
    }
    const session = this.#session
    switch (name) {
      case 'system-prompt':
        session.settings.data.systemPrompt = value ?? ''
        return
      case 'greeting':
        session.greeting = value ?? ''
        return
      case 'images':
        this.images = value ?? ''
        return
      case 'readonly':
        session.parts.composer = !this.#read((text) => parseFlag('readonly', text), value)
        return
      case 'hide': {
        const hidden = this.#read(parseHide, value) ?? []
        for (const part of ['picker', 'settings', 'upload'] as const)
          session.parts[part] = !hidden.includes(part)
        if (hidden.includes('picker')) session.screen = 'chat'
        return
      }
      case 'theme':
        session.theme = this.#read(parseTheme, value) ?? 'auto'
        return
      case 'language':
        this.#language = this.#read(parseLanguage, value === 'auto' ? null : value)
        // Before, it is not known where the element stands.
        if (this.#view) this.#applyLanguage()
        return
      case 'autoload':
        if (!this.#read((text) => parseFlag('autoload', text), value) || !this.#view) return
        this.#updateModel()
        void this.#wake()
    }
  }

  #updateModel(): void {
    if (!this.#isModelStale) return
    this.#isModelStale = false
    const { models, engine } = this.#session
    const base = this.ownerDocument.baseURI
    const folder = this.#read(
      (value) => parseFolder('models-url', value, base),
      this.getAttribute('models-url'),
    )
    models.home = folder ?? home
    const named = this.getAttribute('model')
    const server = this.#read((value) => parseEndpointUrl(value, base), this.getAttribute('endpoint'))
    models.choice = server
      ? { ...server, ...(named?.trim() && { model: named.trim() }) }
      : (this.#read((value) => parseModel(value, base), named) ?? { kind: 'bundled' })
    this.#updateKey()
    models.dtype = this.#read(parseDtype, this.getAttribute('dtype')) ?? 'auto'
    models.contextLength = this.#read(parseContextLength, this.getAttribute('context-length'))
    // One that is none stays, and so no token goes to another hub.
    models.endpoint = this.hubEndpoint
    this.#read(parseHub, this.getAttribute('hub-endpoint'))
    models.plan = undefined
    // Another checkpoint would find the same GPU.
    if (engine.status === 'unfit' && !server) return
    // Nothing of the old one is left: neither its memory nor what was said of it.
    void this.#session.release()
    if (this.autoload && this.isConnected) void this.#wake()
  }

  #updateKey(): void {
    const { choice, server } = this.#session.models
    if (choice.kind === 'endpoint' && this.endpoint) server.setKey(choice.baseUrl, this.#apiKey)
  }

  #applyLanguage(): void {
    this.#session.language = this.#language ?? closestLanguage(nearestLang(this)) ?? 'en'
  }

  /** Reads an attribute's value, as which frameworks write an empty one for none; one it cannot have is reported. */
  #read<T>(parse: (value: string) => T, value: string | null): T | undefined {
    if (value === null) return undefined
    try {
      return parse(value.trim())
    } catch (error) {
      if (!(error instanceof AttributeError)) throw error
      const { name, message, attribute, allowed } = error
      console.warn(message)
      // Whoever puts an element together listens a moment later.
      setTimeout(() => {
        const detail: TrilobiteChatEventMap['trilobite-error']['detail'] = {
          name,
          message,
          attribute,
          allowed,
        }
        this.dispatchEvent(new CustomEvent('trilobite-error', { detail, bubbles: true, composed: true }))
      })
      return undefined
    }
  }

  #reflect(attribute: Attribute, value: string | number | null | undefined): void {
    if (value === null || value === undefined) this.removeAttribute(attribute)
    else this.setAttribute(attribute, String(value))
  }

  #upgradeProperties(): void {
    for (const name of [...PROPERTIES, 'readonly']) {
      if (!Object.hasOwn(this, name)) continue
      const own = this as Record<string, unknown>
      const value = own[name]
      delete own[name]
      own[name] = value
    }
  }

  /** By constructed sheets, which no content security policy forbids; they belong to one document. */
  #adoptStyles(): void {
    const { CSSStyleSheet: Sheet = CSSStyleSheet } = this.ownerDocument.defaultView ?? {}
    const sheet = new Sheet()
    sheet.replaceSync(__ELEMENT_CSS__)
    this.#root.adoptedStyleSheets = [sheet]
  }
}

function parseLanguage(value: string): Language | undefined {
  if (value === '') return undefined
  const language = closestLanguage(value)
  if (!language) throw new AttributeError('language', value, Object.keys(LANGUAGES))
  return language
}
