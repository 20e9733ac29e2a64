import type { LoadOptions, ModelPlan, WeightDtype } from '../../worker/api'
import {
  choiceName,
  haveSameOrigin,
  isLocal,
  modelsBeside,
  parseEndpoint,
  restoreChoice,
  toSource,
  type ModelChoice,
} from '../models/choice'
import { explain, type Problem } from '../text/explain'
import { en, type Messages } from '../text/messages/en'
import type { EngineState, LoadTarget } from './engine.svelte'
import { ServerModels } from './server.svelte'
import type { Keep } from './storage'
import { surroundings } from './surroundings'

const KEY = 'trilobite.model'
const DTYPES: readonly WeightDtype[] = ['auto', 'f32', 'f16', 'q8', 'q4']

/** What the visitor is about to load, and what that would take. Remembered, but for the token and local files. */
export class ModelPicker {
  choice = $state.raw<ModelChoice>({ kind: 'bundled' })
  dtype = $state<WeightDtype>('auto')
  /** In tokens; undefined is the model's own limit, 4096 at most. */
  contextLength = $state<number>()
  /** GPU memory the model may take, in decimal gigabytes; undefined leaves it to the engine. */
  memoryGB = $state<number>()
  endpoint = $state('')
  /** Never stored, and given to the engine for hub sources alone. */
  token = $state('')
  /** What the chosen server has, where one is chosen. */
  readonly server: ServerModels

  plan = $state.raw<ModelPlan>()
  planProblem = $state.raw<Problem>()
  isPlanning = $state(false)

  /** Folder of the bundled models. */
  home: string

  #engine: EngineState
  #keep: Keep
  #texts: () => Messages
  #planNumber = 0

  constructor(engine: EngineState, keep: Keep, home = modelsBeside(document.baseURI), texts = () => en) {
    this.#engine = engine
    this.#keep = keep
    this.home = home
    this.#texts = texts
    this.server = new ServerModels(texts)
    const saved = (keep.read(KEY) ?? {}) as Record<string, unknown>
    this.choice = restoreChoice(saved['choice']) ?? { kind: 'bundled' }
    if (DTYPES.includes(saved['dtype'] as WeightDtype)) this.dtype = saved['dtype'] as WeightDtype
    if (Number.isInteger(saved['contextLength'])) this.contextLength = saved['contextLength'] as number
    if (isMemory(saved['memoryGB'])) this.memoryGB = saved['memoryGB']
    if (typeof saved['endpoint'] === 'string') this.endpoint = saved['endpoint']
  }

  get options(): LoadOptions {
    const { dtype, contextLength, memoryGB } = this
    return {
      dtype,
      ...(contextLength && contextLength > 0 && { contextLength }),
      ...(isMemory(memoryGB) && { memoryBytes: Math.round(memoryGB * 1e9) }),
    }
  }

  /** Loading the choice asks no host but the page's own. An element's bundled models may lie on another. */
  get isLocal(): boolean {
    const { choice, home } = this
    return isLocal(choice) && (choice.kind === 'files' || haveSameOrigin(home, document.baseURI))
  }

  /** The endpoint's trouble in a sentence, or nothing. */
  get endpointProblem(): string {
    try {
      parseEndpoint(this.endpoint, this.#texts().models.address)
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }

  target(choice: ModelChoice = this.choice): LoadTarget {
    const { endpointProblem } = this
    const source = toSource(choice, {
      home: this.home,
      // A token meant for another hub must not go to the usual one.
      ...(!endpointProblem && { endpoint: parseEndpoint(this.endpoint), token: this.token.trim() }),
      ...(choice.kind === 'endpoint' && { apiKey: this.server.keyFor(choice.baseUrl) }),
    })
    return { label: choiceName(choice), source, options: this.options }
  }

  /** Chooses a model and asks what it would take. */
  async choose(choice: ModelChoice, dtype: WeightDtype = this.dtype) {
    this.choice = choice
    this.dtype = dtype
    await this.updatePlan()
  }

  /** Asks again what the choice would take; an answer overtaken by a later question is dropped. */
  async updatePlan() {
    const number = ++this.#planNumber
    this.plan = undefined
    this.planProblem = undefined
    this.isPlanning = false
    const { choice } = this
    if (choice.kind === 'endpoint') {
      const only = await this.server.ask(choice.baseUrl)
      if (only && number === this.#planNumber && !choice.model) this.choice = { ...choice, model: only }
      return
    }
    if (this.#engine.status === 'unfit' || this.#engine.status === 'lost') return
    this.isPlanning = true
    const { source, options } = this.target()
    try {
      const plan = await this.#engine.plan(source, options)
      if (number === this.#planNumber) this.plan = plan
    } catch (error) {
      if (number === this.#planNumber) this.planProblem = explain(error, surroundings(), this.#texts())
    } finally {
      if (number === this.#planNumber) this.isPlanning = false
    }
  }

  /** Loads the choice and remembers it for the next visit. */
  load(): Promise<boolean> {
    this.#remember()
    return this.#engine.load(this.target())
  }

  /** Loads the bundled model with its own defaults. */
  loadBundled(): Promise<boolean> {
    this.choice = { kind: 'bundled' }
    this.dtype = 'auto'
    this.contextLength = undefined
    this.memoryGB = undefined
    return this.load()
  }

  #remember() {
    const { choice, dtype, contextLength, memoryGB, endpoint } = this
    const kept = choice.kind === 'files' ? undefined : choice
    this.#keep.write(KEY, { choice: kept, dtype, contextLength, memoryGB, endpoint })
  }
}

const isMemory = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0
