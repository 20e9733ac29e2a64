import type {
  DatasetInfo,
  DatasetSource,
  KnownRecipe,
  TrainingPlan,
  TrainingRequest,
} from '../../worker/client'
import type { EngineState } from '../state/engine.svelte'
import { surroundings } from '../state/surroundings'
import { explainTraining, isAbort, type Problem } from '../text/explain'
import { absolute, SAMPLE_SET, sourceName } from './dataset-source'
import { parseField, RUN_FIELDS, type RunKey } from './recipe-fields'
import { Pairs } from './pairs.svelte'
import { RecipeForm } from './recipe-form.svelte'

const DEFAULT_TEXTS: Record<RunKey, string> = {
  heldOut: '20',
  evaluateEvery: '25',
  captions: '4',
  checkpointEvery: '25',
}

/** Rows validated on unless the visitor says otherwise: each validation passes all of them. */
const MOST_HELD_OUT = 32

/** Settling time of edits before the engine is asked what they would take, in milliseconds. */
const PLAN_DELAY_MS = 500

/** A run that is being prepared: its data, its recipe, and what it would take. */
export class TrainingSetup {
  recipes = $state.raw<readonly KnownRecipe[]>([])
  recipesProblem = $state.raw<Problem>()
  readonly form = new RecipeForm()
  /** Captions that are typed outlive the screen. */
  readonly pairs = new Pairs()

  source = $state.raw<DatasetSource>()
  data = $state.raw<DatasetInfo>()
  dataProblem = $state.raw<Problem>()
  /** Rows looked at so far while data is opened. */
  rowsRead = $state(0)
  isOpening = $state(false)

  /** Empty for the one made of data and recipe. */
  nameText = $state('')
  texts = $state<Record<RunKey, string>>({ ...DEFAULT_TEXTS })

  plan = $state.raw<TrainingPlan>()
  planProblem = $state.raw<Problem>()
  isPlanning = $state(false)

  readonly madeName = $derived(
    [this.data?.name, this.form.known?.recipe.name].filter(Boolean).join(', ') +
      (this.form.changedCount ? ', changed' : ''),
  )

  readonly problems = $derived.by(() => {
    const problems: Partial<Record<RunKey, string>> = {}
    for (const field of RUN_FIELDS) {
      const parsed = parseField(field, this.texts[field.key])
      if ('problem' in parsed) problems[field.key] = parsed.problem
    }
    return problems
  })

  /** What the engine would be asked; undefined while something is missing or cannot stay as it is. */
  readonly request = $derived.by((): TrainingRequest | undefined => {
    const { recipe } = this.form
    if (!recipe || !this.source || !this.data?.usable || Object.keys(this.problems).length > 0)
      return undefined
    const numbers = Object.fromEntries(RUN_FIELDS.map(({ key }) => [key, Number(this.texts[key])]))
    return {
      recipe,
      dataset: absolute(this.source, document.baseURI),
      name: this.nameText.trim() || this.madeName,
      ...(numbers as Record<RunKey, number>),
    }
  })

  #engine: EngineState
  #dataNumber = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #isStale = false

  constructor(engine: EngineState) {
    this.#engine = engine
  }

  /** Reads the recipes, once. */
  async readRecipes() {
    if (this.recipes.length > 0) return
    try {
      this.recipes = await this.#engine.call((client) => client.recipes())
      this.recipesProblem = undefined
      if (!this.form.known && this.recipes[0]) this.form.choose(this.recipes[0])
    } catch (error) {
      this.recipesProblem = explainTraining(error, surroundings())
    }
  }

  /** Reads every row of a source once. A source that is overtaken by another one is dropped. */
  async open(source: DatasetSource) {
    const number = ++this.#dataNumber
    if (this.isOpening) await this.#stopReading()
    this.source = source
    this.data = this.plan = undefined
    this.dataProblem = this.planProblem = undefined
    this.rowsRead = 0
    this.isOpening = true
    try {
      const data = await this.#engine.call((client) =>
        client.openDataset(absolute(source, document.baseURI), (rows) => {
          if (number === this.#dataNumber) this.rowsRead = rows
        }),
      )
      if (number !== this.#dataNumber) return
      this.data = data
      const own = data.usable < 5 ? 0 : Math.ceil(data.usable / 10)
      this.texts.heldOut = String(Math.min(MOST_HELD_OUT, data.heldOutRows || own))
    } catch (error) {
      if (number !== this.#dataNumber) return
      this.source = undefined
      if (!isAbort(error)) this.dataProblem = explainTraining(error, surroundings())
    } finally {
      if (number === this.#dataNumber) this.isOpening = false
    }
  }

  /** Takes the sample set, and the settings that its own run in PyTorch had. */
  async openSamples() {
    Object.assign(this.form.texts, { batchSize: '8', accumulate: '1', epochs: '3', captionEnd: 'eos' })
    await this.open(SAMPLE_SET)
  }

  /** Says in words why what was picked is no data. */
  refuse(error: unknown) {
    this.dataProblem = {
      name: 'DatasetError',
      title: 'That is no data to train on.',
      advice: (error as Error).message,
      detail: '',
      remedies: [],
    }
  }

  async cancelOpening() {
    if (this.isOpening) await this.#stopReading()
  }

  #stopReading() {
    return this.#engine.call((client) => client.controlTraining('stop')).catch(() => {})
  }

  forgetData() {
    this.#dataNumber++
    this.source = this.data = this.plan = undefined
    this.dataProblem = this.planProblem = undefined
    this.isOpening = false
  }

  /** Asks what the run would take once its settings have rested. */
  planSoon() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.updatePlan(), PLAN_DELAY_MS)
  }

  /** Asks what the run would take. One question at a time: later settings are asked about when it is answered. */
  async updatePlan() {
    clearTimeout(this.#timer)
    this.#isStale = true
    if (this.isPlanning) return
    this.isPlanning = true
    try {
      while (this.#isStale) {
        this.#isStale = false
        await this.#planOnce()
      }
    } finally {
      this.isPlanning = false
    }
  }

  async #planOnce() {
    const { request } = this
    if (!request || !this.#engine.isReady) {
      this.plan = undefined
      return
    }
    try {
      const plan = await this.#engine.call((client) => client.planTraining($state.snapshot(request)))
      if (this.#isStale) return
      this.plan = plan
      this.planProblem = undefined
    } catch (error) {
      if (this.#isStale) return
      this.plan = undefined
      this.planProblem = isAbort(error) ? undefined : explainTraining(error, surroundings())
    }
  }

  /** What the data is called before it has been read. */
  get sourceName(): string {
    return this.source ? sourceName(this.source) : ''
  }
}
