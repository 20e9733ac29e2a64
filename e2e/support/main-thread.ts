import type { Page } from '@playwright/test'

/** What a browser calls a long task: input waits for it noticeably. */
const LONG_MS = 50
/** Tasks, and what ran in them. All of the browser's categories would be a hundred megabytes. */
const CATEGORIES = ['devtools.timeline', 'disabled-by-default-devtools.timeline']

/** Of Chromium's trace format. Units: microseconds; `tdur` is processor time of the thread. */
interface TraceEvent {
  name: string
  ph: string
  pid: number
  tid: number
  ts: number
  dur?: number
  tdur?: number
  args: { name?: string; data?: Record<string, unknown> }
}

/**
 * Does something and tells of every task that held a page's main thread for more than 50 ms of processor time.
 *
 * By the clock, as a PerformanceObserver sees it, tasks here are long that do nothing: the GPU is the same processors,
 * which take a thread off for hundreds of milliseconds. What its processor time shows is the page's own doing.
 */
export async function longTasks(page: Page, run: () => Promise<void>): Promise<string[]> {
  const browser = page.context().browser()!
  await browser.startTracing(page, { categories: CATEGORIES })
  let trace: Buffer
  try {
    await run()
  } finally {
    trace = await browser.stopTracing()
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] }
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid}:${tid}`
  const main = new Set(traceEvents.filter(({ args }) => args.name === 'CrRendererMain').map(threadOf))
  const events = traceEvents.filter((event) => event.ph === 'X' && main.has(threadOf(event)))
  const tasks = events.filter(({ name }) => name === 'RunTask')
  if (!tasks.some(({ tdur = 0 }) => tdur > 0))
    throw new Error('trace: expected tasks of a main thread with their processor time, came none')
  return tasks
    .filter(({ tdur = 0 }) => tdur > 1000 * LONG_MS)
    .map((task) => ({ task, inside: eventsIn(task, events) }))
    .filter(({ inside }) => !inside.some(isOfTheTest))
    .map(({ task, inside }) => describe(task, inside))
}

/**
 * The long tasks of a page that come back each time something is done, up to three times; none once a time had none.
 * Collecting garbage while the adapter has both processors can take as long as a long task, but not every time.
 *
 * `afresh`: brings the page back to where it can be done again.
 */
export async function lastingLongTasks(
  page: Page,
  run: () => Promise<void>,
  afresh: () => Promise<void>,
): Promise<string[]> {
  for (let time = 1; ; time++) {
    const tasks = await longTasks(page, run)
    if (!tasks.length || time === 3) return tasks
    await afresh()
  }
}

const eventsIn = (task: TraceEvent, events: readonly TraceEvent[]) =>
  events.filter(
    (event) =>
      event !== task &&
      event.pid === task.pid &&
      event.ts >= task.ts &&
      event.ts + event.dur! <= task.ts + task.dur!,
  )

/** Playwright copies the whole page at every action, for its own trace. */
const isOfTheTest = ({ args }: TraceEvent) => String(args.data?.['type']).startsWith('__playwright')

/** A task with the longest things that ran in it. */
function describe(task: TraceEvent, inside: TraceEvent[]): string {
  const ms = ({ tdur = 0 }: TraceEvent) => `${(tdur / 1000).toFixed(1)} ms`
  const longest = inside
    .sort((a, b) => (b.tdur ?? 0) - (a.tdur ?? 0))
    .slice(0, 4)
    .map((event) => `${event.name} ${ms(event)} ${JSON.stringify(event.args.data ?? {}).slice(0, 200)}`)
  return `${ms(task)}: ${longest.join('; ')}`
}

/** Keeps the page's main thread busy in a message handler, for this many milliseconds of processor time or somewhat more. */
export function block(page: Page, ms: number): Promise<void> {
  return page.evaluate((busyMs) => {
    const spin = (rounds: number) => {
      let sum = 0
      for (let i = 0; i < rounds; i++) sum += Math.sqrt(i)
      return sum
    }
    // The shortest of several was not interrupted.
    const ROUNDS = 500_000
    let shortest = Infinity
    for (let i = 0; i < 12; i++) {
      const started = performance.now()
      spin(ROUNDS)
      shortest = Math.min(shortest, performance.now() - started)
    }
    return new Promise<void>((done) => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        spin((ROUNDS * busyMs) / shortest)
        done()
      }
      port2.postMessage(undefined)
    })
  }, ms)
}
