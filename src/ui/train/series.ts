/** Pure functions on the curves of a run: steps along x, values that may be missing along y. */

export type Values = readonly (number | null)[]

/**
 * Exponential moving average, corrected at the start as Adam's moments are, so that it begins at the first value. Gaps
 * stay gaps and leave the average as it is. Weight 0 smooths nothing.
 */
export function smooth(values: Values, weight: number): (number | null)[] {
  let average = 0
  let correction = 1
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null
    average = weight * average + (1 - weight) * value
    correction *= weight
    return average / (1 - correction)
  })
}

/**
 * Indices of the points of a curve that are worth drawing: of each of equally many neighbours the first, the least, the
 * greatest and the last, so that no spike is lost.
 *
 * Returns: at most `limit` indices between `from` and `to`, in order, or all of them where they are no more.
 */
export function decimate(values: Values, limit: number, from = 0, to = values.length): number[] {
  const count = to - from
  if (count <= limit) return Array.from({ length: Math.max(0, count) }, (_, i) => from + i)
  const buckets = Math.max(1, Math.floor(limit / 4))
  const kept: number[] = []
  for (let bucket = 0; bucket < buckets; bucket++) {
    const start = from + Math.floor((bucket * count) / buckets)
    const end = from + Math.floor(((bucket + 1) * count) / buckets)
    let least = -1
    let greatest = -1
    for (let i = start; i < end; i++) {
      const value = values[i]
      if (value === null || value === undefined || !Number.isFinite(value)) continue
      if (least < 0 || value < values[least]!) least = i
      if (greatest < 0 || value > values[greatest]!) greatest = i
    }
    const points = [start, least, greatest, end - 1].filter((i) => i >= 0).sort((a, b) => a - b)
    for (const point of points) if (kept.at(-1) !== point) kept.push(point)
  }
  return kept
}

/** The range of indices whose steps lie between `min` and `max`, with one neighbour on each side. */
export function indicesWithin(steps: readonly number[], min: number, max: number): [number, number] {
  return [Math.max(0, lowerBound(steps, min) - 1), Math.min(steps.length, lowerBound(steps, max) + 2)]
}

/** Index of the first step that is `step` or more. */
export function lowerBound(steps: readonly number[], step: number): number {
  let low = 0
  let high = steps.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (steps[middle]! < step) low = middle + 1
    else high = middle
  }
  return low
}

/** One curve of a plot, on steps of its own. */
export interface Curve {
  readonly label: string
  readonly steps: readonly number[]
  readonly values: Values
}

/**
 * Puts curves on common steps, at most `limit` points of each between `min` and `max`.
 *
 * Returns: steps, and for each curve a value at each of them; undefined where it has no point, so that its line goes on,
 * and null where its value is missing, so that its line breaks.
 */
export function align(
  curves: readonly Curve[],
  limit: number,
  min = -Infinity,
  max = Infinity,
): { steps: number[]; values: (number | null | undefined)[][] } {
  const drawn = curves.map(({ steps, values }) => {
    const [from, to] = indicesWithin(steps, min, max)
    return decimate(values, limit, from, to)
  })
  const all = new Set<number>()
  drawn.forEach((indices, c) => indices.forEach((i) => all.add(curves[c]!.steps[i]!)))
  const steps = [...all].sort((a, b) => a - b)
  const positions = new Map(steps.map((step, i) => [step, i]))
  const values = drawn.map((indices, c) => {
    const { steps: own, values: given } = curves[c]!
    const row: (number | null | undefined)[] = new Array(steps.length).fill(undefined)
    for (const i of indices) {
      const value = given[i]!
      row[positions.get(own[i]!)!] = value !== null && Number.isFinite(value) ? value : null
    }
    return row
  })
  return { steps, values }
}

/** The first and the last step that is shown. */
export type StepRange = readonly [number, number]

/** Zooming ends at so many steps. */
const FEWEST_STEPS = 2

/** From the first step of any curve to the last of any; at least one step wide. */
export function extentOf(curves: readonly Curve[]): StepRange {
  const starts = curves.flatMap(({ steps }) => steps[0] ?? [])
  const ends = curves.flatMap(({ steps }) => steps.at(-1) ?? [])
  const start = starts.length ? Math.min(...starts) : 0
  return [start, Math.max(start + 1, ...ends)]
}

/** True for steps of a curve that is not there any more. */
export function liesBeyond(range: StepRange, extent: StepRange): boolean {
  return range[0] >= extent[1] || range[1] <= extent[0]
}

/** The steps around the same middle, `factor` times as many, within the extent; undefined for all of them. */
export function zoomed(
  range: StepRange | undefined,
  extent: StepRange,
  factor: number,
): StepRange | undefined {
  const [start, end] = range ?? extent
  const length = Math.max(FEWEST_STEPS, (end - start) * factor)
  return within((start + end - length) / 2, length, extent)
}

/** As many steps, moved by a share of them, within the extent. */
export function moved(range: StepRange | undefined, extent: StepRange, share: number): StepRange | undefined {
  if (!range) return undefined
  const length = range[1] - range[0]
  return within(range[0] + share * length, length, extent)
}

function within(start: number, length: number, extent: StepRange): StepRange | undefined {
  if (length >= extent[1] - extent[0]) return undefined
  const from = Math.min(Math.max(start, extent[0]), extent[1] - length)
  return [from, from + length]
}
