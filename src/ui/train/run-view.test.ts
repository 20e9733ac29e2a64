import { describe, expect, test } from 'vitest'
import type { RunInfo, TrainingEvent } from '../../worker/client'
import { canGoOn, isDamaged, RunView, statusOf } from './run-view.svelte'

const run = {
  id: 'a',
  name: 'mine',
  state: 'running',
  step: 0,
  steps: 10,
  checkpointStep: 0,
  dataset: { skipped: 0 },
} as RunInfo
const step = (at: number): TrainingEvent => ({
  type: 'step',
  step: at,
  loss: 1 / at,
  microLosses: [],
  lr: 1e-3,
  gradNorm: 1,
  tokens: 10,
  learnedTokens: 2,
  samples: 4,
  ms: 3,
  stepsPerSecond: 5,
  tokensPerSecond: 50,
  secondsLeft: 2,
})

/** A view whose frames come when a test says so. */
function stage(info?: RunInfo) {
  const works: (() => void)[] = []
  const view = new RunView('mine', info, (work) => works.push(work))
  return { view, works, frame: () => works.splice(0).forEach((work) => work()) }
}

describe('a run that is looked at', () => {
  test('takes everything between two frames at once', () => {
    const { view, works, frame } = stage()
    view.onEvent({ type: 'run', run })
    for (let at = 1; at <= 5; at++) view.onEvent(step(at))
    expect([works.length, view.step, view.version]).toEqual([1, 0, 0])
    frame()
    expect([view.step, view.version, view.history.steps.length]).toEqual([5, 1, 5])
    expect(view.run).toBe(run)
    view.onEvent(step(6))
    expect(works).toHaveLength(1)
  })

  test('has all it was told when its end is flushed, and a late frame changes nothing', () => {
    const { view, frame } = stage()
    view.onEvent(step(1))
    view.flush()
    expect(view.step).toBe(1)
    frame()
    expect([view.step, view.version]).toEqual([1, 1])
  })

  test('tells of pictures that are encoded until the step that needed them', () => {
    const { view } = stage()
    const features = (done: number, cached = false): TrainingEvent => ({
      type: 'features',
      done,
      total: 8,
      image: 'a.png',
      cached,
    })
    view.onEvent(features(3))
    view.flush()
    expect(view.features?.done).toBe(3)
    view.onEvent(features(4, true))
    view.flush()
    expect(view.features).toBeUndefined()
    view.onEvent(features(5))
    view.onEvent(step(1))
    view.flush()
    expect(view.features).toBeUndefined()
  })

  test('lists a hundred rows left out and counts all', () => {
    const { view } = stage({ ...run, dataset: { skipped: 2 } } as RunInfo)
    expect(view.skippedCount).toBe(2)
    for (let row = 0; row < 150; row++)
      view.onEvent({
        type: 'skipped',
        row: { row, id: '', image: undefined, reason: 'gone' },
        count: row + 3,
      })
    view.flush()
    expect([view.skipped.length, view.skippedCount, view.foundCount]).toEqual([100, 152, 150])
    // Whoever goes on with it finds them again.
    view.rewind()
    expect([view.skipped.length, view.skippedCount]).toEqual([0, 2])
  })

  test('says a notice once', () => {
    const { view } = stage()
    view.onEvent({ type: 'notice', message: 'features are not kept' })
    view.onEvent({ type: 'notice', message: 'features are not kept' })
    view.flush()
    expect(view.notices).toEqual(['features are not kept'])
  })

  test('goes on from its checkpoint with what was before it', () => {
    const { view } = stage({ ...run, state: 'paused', step: 4, checkpointStep: 2 } as RunInfo)
    view.fill([1, 2, 3, 4].map((at) => step(at) as Extract<TrainingEvent, { type: 'step' }>))
    expect([view.step, view.isPaused]).toEqual([4, true])
    view.rewind()
    expect(view.history.steps).toEqual([1, 2])
    view.onEvent(step(3))
    view.flush()
    expect([view.step, view.history.steps.length]).toEqual([3, 3])
  })
})

describe('what is listed of it', () => {
  test('is as far as the last event', () => {
    const { view } = stage()
    expect(view.info).toBeUndefined()
    view.onEvent({ type: 'run', run })
    view.onEvent(step(4))
    view.onEvent({ type: 'evaluation', step: 4, loss: 2, samples: 8 })
    view.onEvent({ type: 'checkpoint', step: 4 })
    view.flush()
    expect(view.info).toMatchObject({ id: 'a', step: 4, checkpointStep: 4, loss: 0.25, evaluationLoss: 2 })
  })

  test('is what was listed where no log was read, and what is listed later', () => {
    const { view } = stage({ ...run, step: 4, checkpointStep: 2, loss: 3 } as RunInfo)
    expect(view.info).toMatchObject({ step: 4, checkpointStep: 2, loss: 3 })
    view.adopt({ ...run, step: 6, checkpointStep: 6, loss: 1 } as RunInfo)
    expect(view.info).toMatchObject({ step: 6, checkpointStep: 6, loss: 1 })
  })

  test('a log takes the place of the one before', () => {
    const { view } = stage(run)
    const records = (count: number) =>
      Array.from({ length: count }, (_, i) => step(i + 1) as Extract<TrainingEvent, { type: 'step' }>)
    view.fill(records(5))
    view.fill(records(3))
    expect(view.history.steps).toEqual([1, 2, 3])
  })
})

test('a run that is said to run though nobody trains it can be gone on with', () => {
  expect(canGoOn(run)).toBe(true)
  expect(statusOf(run, false)).toBe('paused')
  expect(statusOf(run, true)).toBe('running')
  expect(canGoOn({ ...run, state: 'done', step: 10 })).toBe(false)
  expect(canGoOn(undefined)).toBe(false)
  expect(statusOf({ ...run, state: 'failed' }, false)).toBe('failed')
})

test('a run that another tab trains cannot, nor can one whose files are damaged', () => {
  const elsewhere: RunInfo = { ...run, isElsewhere: true }
  expect([canGoOn(elsewhere), statusOf(elsewhere, false)]).toEqual([false, 'elsewhere'])
  const damaged: RunInfo = { ...run, state: 'failed', steps: 0, createdAt: 0 }
  expect([canGoOn(damaged), isDamaged(damaged), isDamaged(run)]).toEqual([false, true, false])
})
