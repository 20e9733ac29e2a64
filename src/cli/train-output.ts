import type { SkippedRow } from '../model/train/definition'
import { smoothed } from '../model/train/log'
import type { GradientReport, TrainingEvent } from '../worker/training-api'
import { json, table } from './output'
import type { ProgressLine } from './progress-line'

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

/** The last line of `train --json`; a contract. */
export function endJson(end: {
  done: boolean
  out: string
  evalLoss?: number | undefined
  steps: number
}): string {
  const { done, out, evalLoss, steps } = end
  return json({ done, out, evalLoss: evalLoss === undefined ? null : finite(evalLoss), steps })
}

const finite = (value: number) => (Number.isFinite(value) ? value : String(value))

/** `step 12 of 75  loss 2.3145 ...`; `mean` is the smoothed loss. */
export function stepLine(event: StepEvent, steps: number, mean: number): string {
  const { step, loss, lr, samplerLr, gradNorm, samples, stepsPerSecond, secondsLeft, skipped } = event
  return [
    `step ${step} of ${steps}`,
    `loss ${loss.toFixed(4)}`,
    `smoothed ${mean.toFixed(4)}`,
    `lr ${lr.toPrecision(3)}${samplerLr === undefined ? '' : ` and ${samplerLr.toPrecision(3)}`}`,
    `grad norm ${gradNorm.toPrecision(3)}`,
    `${(stepsPerSecond * samples).toPrecision(3)} samples/s`,
    `${duration(secondsLeft)} left`,
    ...(skipped ? ['SKIPPED: not finite, nothing was changed'] : []),
  ].join('  ')
}

/** Seconds as `0:05`, `12:34` or `1:02:03`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** Which rows are left out and why, a line each, or no line. */
export function skippedLines(skipped: readonly SkippedRow[], rows: number): string[] {
  if (skipped.length === 0) return []
  const listed = skipped.slice(0, LISTED).map(({ row, id, image, reason }) => {
    const names = [id, image].filter((name) => name !== undefined && name !== '').join(', ')
    return `  row ${row}${names && ` (${names})`}: ${reason}`
  })
  const more = skipped.length > LISTED ? [`  and ${skipped.length - LISTED} more`] : []
  return [
    `${skipped.length} of ${rows} rows ${skipped.length === 1 ? 'is' : 'are'} left out:`,
    ...listed,
    ...more,
  ]
}

/** What a run tells while it goes on: on stdout as text or, with `json`, steps alone; everything else on stderr. */
export class TrainPrinter {
  /** Rows that turned out to be of no use while it trained. */
  readonly skipped: SkippedRow[] = []
  private readonly losses: number[] = []
  private steps = 1
  private keptEvery = 1

  constructor(
    private readonly isJson: boolean,
    private readonly progress: ProgressLine,
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
        this.skipped.push(event.row)
        return
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
      check.passed ? 'ok' : 'FAILED',
    ].join('  '),
  )
  const failed = checks.filter((check) => !check.passed).length
  const verdict = passed
    ? `gradients are right: ${checks.length} checks within ${tolerance} (${(ms / 1000).toFixed(1)} s)`
    : `gradients are WRONG: ${failed} of ${checks.length} checks beyond ${tolerance}`
  const facts = table([
    ['model', model],
    ['adapter', adapter],
    ['loss', loss.toFixed(5)],
  ])
  return `${facts}\n${[head, ...rows].join('\n')}\n\n${verdict}\n`
}
