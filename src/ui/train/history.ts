import type { CaptionRecord, EvaluationRecord, LogRecord, StepRecord } from '../../worker/client'

/** Steps whose speed is told, as many as the engine takes while it trains. */
const SPEED_STEPS = 10

/** Everything a run has written down, in columns as plots want them. Not reactive: RunView tells when it grew. */
export class History {
  steps: number[] = []
  /** Null for a step that changed nothing. */
  losses: (number | null)[] = []
  rates: number[] = []
  /** Empty where there is one group of parameters. */
  samplerRates: number[] = []
  gradNorms: (number | null)[] = []
  evaluationSteps: number[] = []
  evaluationLosses: number[] = []
  captions: CaptionRecord[] = []
  /** Up to each step. */
  #samples: number[] = []
  #tokens: number[] = []
  #ms: number[] = []
  last: StepRecord | undefined

  get samples(): number {
    return this.#samples.at(-1) ?? 0
  }

  get tokens(): number {
    return this.#tokens.at(-1) ?? 0
  }

  /** The loss of the last step that changed something. */
  get lastLoss(): number | undefined {
    return this.losses.findLast((loss) => loss !== null) ?? undefined
  }

  /** How fast the last few steps were; undefined where the log does not tell. */
  get speed(): { stepsPerSecond: number; tokensPerSecond: number } | undefined {
    const end = this.steps.length - 1
    const start = Math.max(-1, end - SPEED_STEPS)
    const between = (sums: number[]) => (sums[end] ?? 0) - (sums[start] ?? 0)
    const seconds = between(this.#ms) / 1000
    if (!(seconds > 0)) return undefined
    return { stepsPerSecond: (end - start) / seconds, tokensPerSecond: between(this.#tokens) / seconds }
  }

  /** Steps that changed nothing because a number was not finite or no row could be used. */
  get skippedSteps(): number {
    return this.losses.reduce<number>((count, loss) => count + (loss === null ? 1 : 0), 0)
  }

  /** Takes another line of the log. A step that is there already is replaced, with everything behind it. */
  add(record: LogRecord) {
    if (record.type === 'step') this.#addStep(record)
    else if (record.type === 'evaluation') this.#addEvaluation(record)
    else this.#addCaption(record)
  }

  #addStep(record: StepRecord) {
    if (this.steps.length > 0 && record.step <= this.steps.at(-1)!) this.rewind(record.step - 1)
    this.steps.push(record.step)
    this.losses.push(record.skipped ? null : finite(record.loss))
    this.rates.push(record.lr)
    if (record.samplerLr !== undefined) this.samplerRates.push(record.samplerLr)
    this.gradNorms.push(finite(record.gradNorm))
    this.#samples.push(this.samples + record.samples)
    this.#tokens.push(this.tokens + record.tokens)
    this.#ms.push((this.#ms.at(-1) ?? 0) + record.ms)
    this.last = record
  }

  #addEvaluation({ step, loss }: EvaluationRecord) {
    while (this.evaluationSteps.length > 0 && this.evaluationSteps.at(-1)! >= step) {
      this.evaluationSteps.pop()
      this.evaluationLosses.pop()
    }
    this.evaluationSteps.push(step)
    this.evaluationLosses.push(loss)
  }

  #addCaption(record: CaptionRecord) {
    this.captions = this.captions.filter(
      ({ step, row }) => step < record.step || (step === record.step && row !== record.row),
    )
    this.captions.push(record)
  }

  /** Forgets what came behind a step: a run goes on from its checkpoint. */
  rewind(step: number) {
    const count = this.steps.findLastIndex((at) => at <= step) + 1
    if (count < this.steps.length) this.last = undefined
    const { steps, losses, rates, samplerRates, gradNorms } = this
    const sums = [this.#samples, this.#tokens, this.#ms]
    for (const column of [steps, losses, rates, samplerRates, gradNorms, ...sums]) column.splice(count)
    const evaluations = this.evaluationSteps.findLastIndex((at) => at <= step) + 1
    this.evaluationSteps.splice(evaluations)
    this.evaluationLosses.splice(evaluations)
    this.captions = this.captions.filter((caption) => caption.step <= step)
  }
}

const finite = (value: number) => (Number.isFinite(value) ? value : null)

/** What was said of one held-out picture, the newest first. */
export interface CaptionHistory {
  readonly row: number
  readonly image: string
  readonly truth: string
  readonly said: readonly { step: number; caption: string }[]
}

/** Captions picture by picture, in the order of their rows. */
export function captionHistories(captions: readonly CaptionRecord[]): CaptionHistory[] {
  const rows = new Map<number, CaptionRecord[]>()
  for (const caption of captions) rows.set(caption.row, [...(rows.get(caption.row) ?? []), caption])
  return [...rows.values()]
    .map((records) => {
      const { row, image, truth } = records[0]!
      const said = records.map(({ step, caption }) => ({ step, caption })).sort((a, b) => b.step - a.step)
      return { row, image, truth, said }
    })
    .sort((a, b) => a.row - b.row)
}
