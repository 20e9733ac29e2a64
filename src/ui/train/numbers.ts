/** Numbers of training as people read them. All functions are pure and use English formatting. */

import type { TrainingPlan } from '../../worker/client'
import { formatDuration, formatTimeLeft } from '../text/format'

/** A loss: `2.347`. */
export function formatLoss(loss: number | undefined): string {
  if (loss === undefined || !Number.isFinite(loss)) return '–'
  return loss.toFixed(Math.abs(loss) >= 99.95 ? 1 : 3)
}

/** A learning rate: `0`, `1e-3`, `3.42e-4`. */
export function formatRate(rate: number | undefined): string {
  if (rate === undefined || !Number.isFinite(rate)) return '–'
  return rate === 0
    ? '0'
    : rate
        .toExponential(2)
        .replace(/\.?0+e/, 'e')
        .replace('e+0', '')
}

/** A norm or another plain number with three significant digits: `0.42`, `12.3`, `1230`. */
export function formatNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2)
  return String(Number(value.toPrecision(3)))
}

/** Steps in a second, or seconds of a step where that reads better: `11.3 steps/s`, `4.2 s a step`. */
export function formatSteps(stepsPerSecond: number | undefined): string {
  if (!stepsPerSecond || !Number.isFinite(stepsPerSecond)) return '–'
  return stepsPerSecond >= 1
    ? `${formatNumber(stepsPerSecond)} steps/s`
    : `${formatNumber(1 / stepsPerSecond)} s a step`
}

/** What a run takes: `3 min, validations apart; 84 ms a step as measured here`, or that nobody knows. */
export function formatPlanTime(plan: Pick<TrainingPlan, 'fits' | 'secondsTotal' | 'secondsPerStep'>): string {
  const { fits, secondsTotal, secondsPerStep } = plan
  if (secondsTotal === undefined || secondsPerStep === undefined)
    return fits ? 'not measured' : 'not measured: it does not fit'
  const step = formatDuration(secondsPerStep * 1000)
  return `${formatTimeLeft(secondsTotal)}, validations apart; ${step} a step as measured here`
}

/** A checkpoint's name in a few words: of one at an address, as bundled ones are, its folder. */
export function modelName(model: string): string {
  if (!URL.canParse(model)) return model
  const { pathname, host } = new URL(model)
  return pathname.split('/').filter(Boolean).at(-1) ?? host
}

/** A date and time of day where the visitor is: `Jan 5, 2026, 1:00 PM`. */
export function formatDate(at: number): string {
  return new Date(at).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' })
}
