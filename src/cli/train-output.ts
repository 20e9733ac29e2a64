import type { SkippedRow } from '../model/train/definition'
import { smoothed } from '../model/train/log'
import type { GradientReport, TrainingEvent } from '../worker/training-api'
import { json, table } from './output'
import type { ProgressLine } from './progress-line'
import type { SkippedList } from './skipped-list'

type StepEvent = Extract<TrainingEvent, { type: 'step' }>

/** Skipped rows that are listed; the others are counted. */
const LISTED = 5
/** Steps that stay on the screen, about. */
const KEPT_STEPS = 100
/** Losses that the smoothed one is told from: older ones weigh less than 1e-4. */
const REMEMBERED = 500

/** The line of `train --json` for a step; a contract. Numbers that are not finite are strings, as in the log. */
export function stepJson({ step, loss, lr, samplerLr, gradNorm, tokens, ms, skipped }: StepEvent): string {
  return json({
    step,
    loss: finite(loss),
    lr,
    ...(samplerLr !== undefined && { samplerLr }),
    gradNorm: finite(gradNorm),
    tokens,
    ms,
    ...(skipped && { skipped }),
  })
}

/** How a run ended. */
export interface RunEnd {
  readonly done: boolean
  readonly out: string
  readonly evalLoss?: number | undefined
  /** Validation loss before the first step, where there was a validation. */
  readonly evalLossBefore?: number | undefined
  readonly steps: number
}

/** The last line of `train --json`; a contract. */
export function endJson({ done, out, evalLoss, evalLossBefore, steps }: RunEnd): string {
  return json({
    done,
    out,
    evalLoss: evalLoss === undefined ? null : finite(evalLoss),
    ...(evalLossBefore !== undefined && { evalLossBefore: finite(evalLossBefore) }),
    steps,
  })
}

const finite = (value: number) => (Number.isFinite(value) ? value : String(value))

/** `step 12 of 75  loss 2.3145 ...`; `mean` is the smoothed loss, NaN where no step had one. */
export function stepLine(event: StepEvent, steps: number, mean: number): string {
  const { step, loss, lr, samplerLr, gradNorm, samples, stepsPerSecond, secondsLeft, skipped } = event
  return [
    `step ${step} of ${steps}`,
    `loss ${loss.toFixed(4)}`,
    ...(Number.isNaN(mean) ? [] : [`smoothed ${mean.toFixed(4)}`]),
    `lr ${lr.toPrecision(3)}${samplerLr === undefined ? '' : ` and ${samplerLr.toPrecision(3)}`}`,
    `grad norm ${gradNorm.toPrecision(3)}`,
    `${(stepsPerSecond * samples).toPrecision(3)} samples/s`,
    `${duration(secondsLeft)} left`,
    ...(skipped ? [`SKIPPED: ${samples ? 'not finite' : 'no usable row'}, nothing was changed`] : []),
  ].join('  ')
}

/** Seconds as `0:05`, `12:34` or `1:02:03`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** `row 7 (id, picture): reason` */
export function skippedLine({ row, id, image, reason, heldOut }: SkippedRow): string {
  const names = [id, image].filter((name) => name !== undefined && name !== '').join(', ')
  return `${heldOut ? 'held-out row' : 'row'} ${row}${names && ` (${names})`}: ${reason}`
}

/** Which rows are left out and why, a line each for the first few, or no line; all of them are in the file at `path`. */
export function skippedLines(skipped: readonly SkippedRow[], of: string, path: string): string[] {
  if (skipped.length === 0) return []
  const more = skipped.length > LISTED ? [`  and ${skipped.length - LISTED} more`] : []
  return [
    `${skipped.length} of ${of} ${skipped.length === 1 ? 'is' : 'are'} left out, listed in ${path}:`,
    ...skipped.slice(0, LISTED).map((row) => `  ${skippedLine(row)}`),
    ...more,
  ]
}

/** What a run tells while it goes on: on stdout as text or, with `json`, steps alone; everything else on stderr. */
export class TrainPrinter {
  /** Rows that turned out to be of no use while it trained. */
  private left = 0
  private readonly losses: number[] = []
  private steps = 1
  private keptEvery = 1

  constructor(
    private readonly isJson: boolean,
    private readonly progress: ProgressLine,
    private readonly list: SkippedList,
  ) {}

  show(event: TrainingEvent): void {
    switch (event.type) {
      case 'run':
        this.steps = event.run.steps
        this.keptEvery = Math.ceil(this.steps / KEPT_STEPS)
        return
      case 'features':
        if (!event.cached) this.progress.show(`looking at ${event.image} (${event.done} of ${event.total})`)
        return
      case 'step':
        return this.showStep(event)
      case 'evaluation':
        return this.tell(
          `step ${event.step}  validation loss ${event.loss.toFixed(4)} over ${event.samples} samples`,
        )
      case 'caption':
        return this.tell(
          `  ${event.image || `row ${event.row}`}\n    true:  ${event.truth}\n    model: ${event.caption}`,
        )
      case 'skipped':
        return this.leaveOut(event.row)
      case 'validating':
        return this.progress.show(`validating: ${event.done} of ${event.total} rows`)
      case 'notice':
        return this.progress.note(`note: ${event.message}`)
      case 'checkpoint':
        return
    }
  }

  /** Something that belongs to the run, not to its numbers. */
  tell(text: string): void {
    if (this.isJson) return this.progress.note(text)
    this.progress.clear()
    process.stdout.write(`${text}\n`)
  }

  /** What there is to say of rows when it is over, however it ended. */
  tellSkipped(): void {
    const { left, list, progress } = this
    if (left > LISTED) progress.note(`${left} rows were left out while it trained, listed in ${list.path}`)
    if (list.problem !== undefined) progress.note(`note: ${list.problem}`)
  }

  private leaveOut(row: SkippedRow): void {
    if (this.list.add([row]).length === 0) return
    this.left++
    if (this.left <= LISTED) this.progress.note(`left out: ${skippedLine(row)}`)
    else if (this.left === LISTED + 1) {
      this.progress.note(
        `more rows are left out: from here on they are counted, and listed in ${this.list.path}`,
      )
    }
  }

  private showStep(event: StepEvent): void {
    this.losses.push(event.loss)
    if (this.losses.length > REMEMBERED) this.losses.shift()
    if (this.isJson) {
      this.progress.clear()
      process.stdout.write(stepJson(event))
    }
    const isKept = event.step % this.keptEvery === 0 || event.step === this.steps || event.skipped
    if (!this.progress.isTerminal && (this.isJson || !isKept)) return
    const line = stepLine(event, this.steps, smoothed(this.losses).at(-1)!)
    if (isKept && !this.isJson) this.tell(line)
    else this.progress.show(line)
  }
}

/** What `gradcheck` prints. */
export function formatGradients(report: GradientReport): string {
  const { model, adapter, loss, tolerance, passed, checks, ms } = report
  const number = (value: number) => value.toExponential(5).padStart(13)
  const name = Math.max(...checks.map((check) => check.name.length), 4)
  const head = `${'name'.padEnd(name)}  ${'analytic'.padStart(13)}  ${'differences'.padStart(13)}  relative error`
  const rows = checks.map((check) =>
    [
      check.name.padEnd(name),
      number(check.analytic),
      number(check.numeric),
      check.relativeError.toExponential(1).padStart(14),
      check.passed ? (check.resolved ? 'ok' : 'too small to tell') : 'FAILED',
    ].join('  '),
  )
  const failed = checks.filter((check) => !check.passed).length
  const unresolved = checks.filter((check) => !check.resolved).length
  const untold = unresolved ? `, ${unresolved} too small to tell` : ''
  const verdict = passed
    ? `gradients are right: ${checks.length - unresolved} checks within ${tolerance}${untold} (${(ms / 1000).toFixed(1)} s)`
    : `gradients are WRONG: ${failed} of ${checks.length} checks beyond ${tolerance}`
  const facts = table([
    ['model', model],
    ['adapter', adapter],
    ['loss', loss.toFixed(5)],
  ])
  return `${facts}\n${[head, ...rows].join('\n')}\n\n${verdict}\n`
}
