import type { DatasetInfo, KnownRecipe, Recipe, TrainingPlan, TrainingRequest } from '../../worker/client'
import type { ModelInfo } from '../../worker/api'
import type { EngineState } from '../state/engine.svelte'
import { surroundings } from '../state/surroundings'
import { explainTraining, isAbort, type Problem } from '../text/explain'
import {
  absolute,
  SAMPLE_SET,
  SAMPLE_SETTINGS,
  sourceName,
  sourceOfFiles,
  type PlacedSource,
} from './dataset-source'
import type { Listing } from './handles'
import { heldOutProblem, parseField, RUN_FIELDS, type RunKey } from './recipe-fields'
import { Pairs } from './pairs.svelte'
import { RecipeForm } from './recipe-form.svelte'
import { persistStorage } from './run-data'

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

/** What a plan depends on; a run's name, for one, it does not. */
interface Question {
  source: PlacedSource
  model: ModelInfo
  recipe: Recipe
  heldOut: number
}

/** What the engine said to a question. */
interface Answer {
  question: Question
  plan?: TrainingPlan
  problem?: Problem
}

/** A run that is being prepared: its data, its recipe, and what it would take. */
export class TrainingSetup {
  recipes = $state.raw<readonly KnownRecipe[]>([])
  recipesProblem = $state.raw<Problem>()
  readonly form = new RecipeForm()
  /** Captions that are typed outlive the screen. */
  readonly pairs = new Pairs()

  source = $state.raw<PlacedSource>()
  data = $state.raw<DatasetInfo>()
  dataProblem = $state.raw<Problem>()
  /** Files found so far while a folder is looked through. */
  filesFound = $state(0)
  /** Rows looked at so far while data is opened. */
  rowsRead = $state(0)
  isOpening = $state(false)

  /** Empty for the one made of data and recipe. */
  nameText = $state('')
  texts = $state<Record<RunKey, string>>({ ...DEFAULT_TEXTS })

  isPlanning = $state(false)
  /** Whether the browser promised to keep runs when the disk fills up; undefined where it was not asked. */
  isStorageKept = $state<boolean>()

  readonly madeName = $derived(
    [this.data?.name, this.form.known?.recipe.name].filter(Boolean).join(', ') +
      (this.form.changedCount ? ', changed' : ''),
  )

  readonly problems = $derived.by(() => {
    const problems: Partial<Record<RunKey, string>> = {}
    for (const field of RUN_FIELDS) {
      const parsed = parseField(field, this.texts[field.key])
      if ('problem' in parsed) problems[field.key] = parsed.problem
      else if (field.key === 'heldOut') {
        const problem = heldOutProblem(Number(parsed.value), this.data)
        if (problem) problems.heldOut = problem
      }
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
  /** Counts what was opened: an answer to an earlier number is too late. */
  #dataNumber = 0
  /** Sources that the engine is reading. */
  #readings = 0
  /** The data that was there before other data was tried. */
  #before: { source: PlacedSource; data: DatasetInfo } | undefined
  #ownHeldOut = DEFAULT_TEXTS.heldOut
  #timer: ReturnType<typeof setTimeout> | undefined
  #isStale = false
  #answer = $state.raw<Answer>()

  constructor(engine: EngineState) {
    this.#engine = engine
  }

  readonly #question = $derived.by((): Question | undefined => {
    const { request, source } = this
    const { model } = this.#engine
    return request && source && model && { source, model, recipe: request.recipe, heldOut: request.heldOut }
  })

  /** What the run would take by the engine's last answer; that may be of settings that were changed since. */
  readonly plan = $derived(this.#isOfNow(this.#answer) ? this.#answer?.plan : undefined)
  readonly planProblem = $derived(this.#isOfNow(this.#answer) ? this.#answer?.problem : undefined)
  /** The plan or its problem is of other settings than the fields have. */
  readonly isPlanStale = $derived(
    this.#answer !== undefined && !isSame(this.#answer.question, this.#question),
  )

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

  /** Lists the files of a drop or a choice, then reads their rows. */
  async take(listing: Listing) {
    const number = this.#begin()
    let source: PlacedSource
    try {
      const { files, handle } = await listing((count) => {
        if (number === this.#dataNumber) this.filesFound = count
      })
      source = sourceOfFiles(files, handle)
    } catch (error) {
      if (number !== this.#dataNumber) return
      this.#giveBack()
      return this.refuse((error as Error).message)
    }
    if (number === this.#dataNumber) await this.#read(source, number)
  }

  /** Reads every row of a source once. A source that is overtaken by another one is dropped. */
  async open(source: PlacedSource) {
    await this.#read(source, this.#begin())
  }

  /** Makes way for other data, which has the returned number. What was there comes back unless that can be used. */
  #begin(): number {
    if (this.#readings > 0) void this.#stopReading()
    if (this.source && this.data) this.#before = { source: this.source, data: this.data }
    this.source = this.data = this.dataProblem = undefined
    this.filesFound = this.rowsRead = 0
    this.isOpening = true
    return ++this.#dataNumber
  }

  async #read(source: PlacedSource, number: number) {
    this.source = source
    this.#readings++
    try {
      const data = await this.#engine.call((client) =>
        client.openDataset(absolute(source, document.baseURI), (rows) => {
          if (number === this.#dataNumber) this.rowsRead = rows
        }),
      )
      if (number === this.#dataNumber) this.#show(source, data)
    } catch (error) {
      if (number !== this.#dataNumber) return
      this.#giveBack()
      if (!isAbort(error)) this.dataProblem = explainTraining(error, surroundings())
    } finally {
      this.#readings--
    }
  }

  #show(source: PlacedSource, data: DatasetInfo) {
    this.isOpening = false
    this.#before = undefined
    this.source = source
    this.data = data
    this.form.suggest(source === SAMPLE_SET ? SAMPLE_SETTINGS : undefined)
    const own = data.usable < 5 ? 0 : Math.ceil(data.usable / 10)
    const heldOut = String(Math.min(MOST_HELD_OUT, data.heldOutRows || own))
    if (this.texts.heldOut === this.#ownHeldOut) this.texts.heldOut = heldOut
    this.#ownHeldOut = heldOut
  }

  /** Shows what was there before other data was tried. */
  #giveBack() {
    this.isOpening = false
    this.source = this.#before?.source
    this.data = this.#before?.data
    this.#before = undefined
  }

  /** Takes the sample set, and the settings that its own run in PyTorch had where the visitor changed none. */
  openSamples(): Promise<void> {
    return this.open(SAMPLE_SET)
  }

  /** Says why what was picked is no data, or why it is not taken. */
  refuse(advice: string, title = 'That is no data to train on.') {
    this.dataProblem = { name: 'DatasetError', title, advice, detail: '', remedies: [] }
  }

  /** Ends the reading of data; what was there before comes back. */
  async cancelOpening() {
    if (!this.isOpening) return
    this.#dataNumber++
    this.#giveBack()
    if (this.#readings > 0) await this.#stopReading()
  }

  /** Leaves a run in the engine's memory as it is, whether it trains or is paused. */
  async #stopReading() {
    try {
      await this.#engine.call((client) => client.cancelOpening())
    } catch {
      // An engine that is gone reads nothing.
    }
  }

  forgetData() {
    this.#dataNumber++
    this.source = this.data = this.#before = this.#answer = undefined
    this.dataProblem = undefined
    this.isOpening = false
    this.form.suggest(undefined)
  }

  /** Asks what the run would take once its settings have rested. */
  planSoon() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.updatePlan(), PLAN_DELAY_MS)
  }

  /**
   * Asks what the run would take, unless that is known. One question at a time: later settings are asked about when it is
   * answered.
   */
  async updatePlan() {
    clearTimeout(this.#timer)
    this.#isStale = true
    if (this.isPlanning) return
    this.isPlanning = true
    try {
      while (this.#isStale) {
        this.#isStale = false
        await this.#ask()
      }
    } finally {
      this.isPlanning = false
    }
  }

  /** Measures the same settings again, as after a problem that may have passed. */
  async planAgain() {
    this.#answer = undefined
    await this.updatePlan()
  }

  async #ask() {
    const { request } = this
    const question = this.#question
    if (!request || !question || !this.#engine.isReady || isSame(this.#answer?.question, question)) return
    try {
      const plan = await this.#engine.call((client) => client.planTraining(request))
      this.#answer = { question, plan }
    } catch (error) {
      if (!isAbort(error)) this.#answer = { question, problem: explainTraining(error, surroundings()) }
    }
  }

  /** An answer about other data or another model says nothing. */
  #isOfNow(answer: Answer | undefined): boolean {
    return (
      answer !== undefined &&
      answer.question.source === this.source &&
      answer.question.model === this.#engine.model
    )
  }

  /** Asks the browser, with the first run, not to clear what is kept of runs. */
  async keepStorage() {
    if (this.isStorageKept === undefined) this.isStorageKept = await persistStorage()
  }

  /** What the data is called before it has been read. */
  get sourceName(): string {
    return this.source ? sourceName(this.source) : ''
  }
}

/** Why a run cannot start, in a sentence; nothing where it can. */
export function reasonToWait(
  setup: TrainingSetup,
  engine: Pick<EngineState, 'status' | 'isReady' | 'model'>,
  isBusy: boolean,
): string {
  if (setup.isOpening) return 'The data is being read.'
  if (!setup.data) return 'Choose data first.'
  if (!setup.data.usable) return 'None of the rows can be used.'
  if (!setup.form.recipe || Object.keys(setup.problems).length)
    return 'Some settings cannot stay as they are.'
  if (isBusy) return 'Another run is going on. Pause it or let it finish first.'
  if (engine.status === 'loading' || engine.status === 'recovering') return 'The model is being loaded.'
  if (engine.status === 'answering') return 'An answer is being written.'
  if (!engine.isReady) return 'Load a model first.'
  if (engine.model?.server) return 'Load a model on this device first.'
  if (setup.planProblem && !setup.isPlanStale) return 'It cannot be trained so: the plan says why.'
  return ''
}

function isSame(a: Question | undefined, b: Question | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.source === b.source &&
    a.model === b.model &&
    a.heldOut === b.heldOut &&
    JSON.stringify(a.recipe) === JSON.stringify(b.recipe)
  )
}
