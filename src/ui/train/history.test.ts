import { expect, test } from 'vitest'
import type { LogRecord } from '../../worker/client'
import { captionHistories, History } from './history'

const step = (at: number, more: object = {}): LogRecord => ({
  type: 'step',
  step: at,
  loss: 4 / at,
  microLosses: [],
  lr: at / 1000,
  gradNorm: 1,
  tokens: 100,
  learnedTokens: 10,
  samples: 8,
  ms: 5,
  ...more,
})
const caption = (at: number, row: number, text: string): LogRecord => ({
  type: 'caption',
  step: at,
  row,
  image: `${row}.png`,
  truth: `true ${row}`,
  caption: text,
})

function filled() {
  const history = new History()
  for (let at = 1; at <= 6; at++) history.add(step(at))
  history.add({ type: 'evaluation', step: 3, loss: 2, samples: 20 })
  history.add({ type: 'evaluation', step: 6, loss: 1, samples: 20 })
  history.add(caption(3, 1, 'a thing'))
  history.add(caption(6, 1, 'a star'))
  return history
}

test('counts what it took', () => {
  const history = filled()
  expect([history.samples, history.tokens, history.last?.step]).toEqual([48, 600, 6])
  expect(history.samplerRates).toEqual([])
})

test('a step whose numbers were not finite leaves a gap and is counted', () => {
  const history = filled()
  history.add(step(7, { loss: NaN, gradNorm: Infinity, skipped: true }))
  history.add(step(8, { gradNorm: Infinity, skipped: true }))
  expect(history.losses.slice(5)).toEqual([4 / 6, null, null])
  expect(history.gradNorms.slice(5)).toEqual([1, null, null])
  expect(history.skippedSteps).toBe(2)
})

test('going on from a checkpoint replaces what came behind it', () => {
  const history = filled()
  history.rewind(4)
  expect(history.steps).toEqual([1, 2, 3, 4])
  expect(history.evaluationSteps).toEqual([3])
  expect(history.captions).toHaveLength(1)
  expect([history.samples, history.tokens]).toEqual([32, 400])
  history.add(step(5, { loss: 9 }))
  expect(history.losses).toEqual([4, 2, 4 / 3, 1, 9])
  expect(history.samples).toBe(40)
})

test('a repeated step replaces itself even without a rewind', () => {
  const history = filled()
  history.add(step(5, { loss: 9, samplerLr: 0.1 }))
  expect(history.steps).toEqual([1, 2, 3, 4, 5])
  expect(history.losses.at(-1)).toBe(9)
  history.add({ type: 'evaluation', step: 5, loss: 7, samples: 20 })
  expect(history.evaluationLosses).toEqual([2, 7])
})

test('tells how fast the last ten steps were, from how long they took', () => {
  const history = new History()
  expect(history.speed).toBeUndefined()
  history.add(step(1, { ms: 9000 }))
  expect(history.speed?.stepsPerSecond).toBeCloseTo(1 / 9)
  for (let at = 2; at <= 12; at++) history.add(step(at, { ms: 200 }))
  expect(history.speed?.stepsPerSecond).toBeCloseTo(5)
  expect(history.speed?.tokensPerSecond).toBeCloseTo(500)
  history.rewind(1)
  expect(history.speed?.stepsPerSecond).toBeCloseTo(1 / 9)
})

test('the last loss is that of a step that changed something', () => {
  const history = filled()
  history.add(step(7, { skipped: true }))
  expect(history.lastLoss).toBe(4 / 6)
  expect(new History().lastLoss).toBeUndefined()
})

test('the second group of rates is kept beside the first', () => {
  const history = new History()
  history.add(step(1, { samplerLr: 1e-4 }))
  history.add(step(2, { samplerLr: 2e-4 }))
  history.rewind(1)
  expect(history.samplerRates).toEqual([1e-4])
})

test('captions are told picture by picture, the newest first', () => {
  const history = filled()
  history.add(caption(6, 0, 'a circle'))
  history.add(caption(6, 1, 'a blue star'))
  expect(captionHistories(history.captions)).toEqual([
    { row: 0, image: '0.png', truth: 'true 0', said: [{ step: 6, caption: 'a circle' }] },
    {
      row: 1,
      image: '1.png',
      truth: 'true 1',
      said: [
        { step: 6, caption: 'a blue star' },
        { step: 3, caption: 'a thing' },
      ],
    },
  ])
})
