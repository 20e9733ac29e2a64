/** Measures ways to compute one thing. */
export interface Bench<Form> {
  /** What a form computes. Throws: whatever a device says that cannot run it. */
  output(form: Form): Promise<ArrayLike<number>>
  /** Units: milliseconds of one run. */
  time(form: Form): Promise<number>
}

export interface Candidate<Form> {
  readonly form: Form
  /** How far its values may be from the standard's, relative to the largest of them. */
  readonly tolerance: number
  /** The share of the standard's time that it must save to be taken. */
  readonly gain: number
}

/** Odd, so that a median is one of them. */
const ROUNDS = 7

/**
 * The fastest form: the standard, or the quickest candidate that computes the same and saves enough time.
 *
 * All run in turns, so that a device that warms up or slows down favours none. A candidate that fails is out.
 *
 * Throws: the signal's reason, at most one run after it; what the standard throws.
 */
export async function fastest<Form>(
  bench: Bench<Form>,
  standard: Form,
  candidates: readonly Candidate<Form>[],
  signal: AbortSignal,
): Promise<Form> {
  signal.throwIfAborted()
  const want = await bench.output(standard)
  const racing = new Map<Candidate<Form>, number[]>()
  for (const candidate of candidates) {
    signal.throwIfAborted()
    const got = await bench.output(candidate.form).catch(() => undefined)
    if (got && isClose(got, want, candidate.tolerance)) racing.set(candidate, [])
  }
  const standardTimes: number[] = []
  for (let round = 0; round < ROUNDS && racing.size > 0; round++) {
    signal.throwIfAborted()
    standardTimes.push(await bench.time(standard))
    for (const [candidate, times] of racing) {
      signal.throwIfAborted()
      const time = await bench.time(candidate.form).catch(() => undefined)
      if (time === undefined) racing.delete(candidate)
      else times.push(time)
    }
  }
  let best = standard
  let bestTime = Infinity
  for (const [{ form, gain }, times] of racing) {
    const time = median(times)
    if (time > (1 - gain) * median(standardTimes) || time >= bestTime) continue
    best = form
    bestTime = time
  }
  return best
}

function isClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): boolean {
  if (got.length !== want.length) return false
  let largest = 0
  for (let i = 0; i < want.length; i++) largest = Math.max(largest, Math.abs(want[i]!))
  for (let i = 0; i < want.length; i++) {
    if (!(Math.abs(got[i]! - want[i]!) <= tolerance * largest)) return false
  }
  return true
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
