import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TrainingEvent } from '../worker/training-api'
import { ProgressLine } from './progress-line'
import { SkippedList } from './skipped-list'
import { duration, endJson, skippedLines, stepJson, stepLine, TrainPrinter } from './train-output'

const step: Extract<TrainingEvent, { type: 'step' }> = {
  type: 'step',
  step: 3,
  loss: 2.5,
  microLosses: [2.5],
  lr: 1e-3,
  gradNorm: 1.25,
  tokens: 40,
  learnedTokens: 9,
  samples: 4,
  ms: 12.5,
  stepsPerSecond: 2,
  tokensPerSecond: 80,
  secondsLeft: 3725,
}

test('lines of --json', () => {
  expect(stepJson(step)).toBe('{"step":3,"loss":2.5,"lr":0.001,"gradNorm":1.25,"tokens":40,"ms":12.5}\n')
  expect(
    JSON.parse(stepJson({ ...step, samplerLr: 1e-4, loss: NaN, gradNorm: Infinity, skipped: true })),
  ).toEqual({
    step: 3,
    loss: 'NaN',
    lr: 1e-3,
    samplerLr: 1e-4,
    gradNorm: 'Infinity',
    tokens: 40,
    ms: 12.5,
    skipped: true,
  })
  expect(endJson({ done: true, out: 'o', evalLoss: 1.5, evalLossBefore: 5.25, steps: 9 })).toBe(
    '{"done":true,"out":"o","evalLoss":1.5,"evalLossBefore":5.25,"steps":9}\n',
  )
  expect(endJson({ done: false, out: 'o', steps: 2 })).toBe(
    '{"done":false,"out":"o","evalLoss":null,"steps":2}\n',
  )
})

const row = (at: number) => ({ row: at, id: `i${at}`, image: undefined, reason: 'why' })

test('lines for people', () => {
  expect(stepLine(step, 20, 2.75)).toBe(
    'step 3 of 20  loss 2.5000  smoothed 2.7500  lr 0.00100  grad norm 1.25  8.00 samples/s  1:02:05 left',
  )
  expect(stepLine({ ...step, loss: NaN, samples: 0, skipped: true }, 20, NaN)).toBe(
    'step 3 of 20  loss NaN  lr 0.00100  grad norm 1.25  0.00 samples/s  1:02:05 left  ' +
      'SKIPPED: no usable row, nothing was changed',
  )
  expect([0, 5.4, 59.6, 754, 3600].map(duration)).toEqual(['0:00', '0:05', '1:00', '12:34', '1:00:00'])
  const skipped = Array.from({ length: 7 }, (_, at) => row(at))
  expect(skippedLines([], '9 rows', 'f')).toEqual([])
  expect(skippedLines([{ ...row(0), heldOut: true }], '9 held-out rows', 'f')).toEqual([
    '1 of 9 held-out rows is left out, listed in f:',
    '  held-out row 0 (i0): why',
  ])
  expect(skippedLines(skipped, '9 rows', 'f')).toHaveLength(7)
  expect(skippedLines(skipped, '9 rows', 'f').at(0)).toBe('7 of 9 rows are left out, listed in f:')
  expect(skippedLines(skipped, '9 rows', 'f').at(-1)).toBe('  and 2 more')
})

describe('what a run tells', () => {
  let folder: string
  let stderr: string[]
  let stdout: string[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'trilobite-output-'))
    stderr = []
    stdout = []
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => stderr.push(String(text)) > 0)
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => stdout.push(String(text)) > 0)
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })
  const printer = (isJson = false, list = new SkippedList(folder, true)) =>
    new TrainPrinter(isJson, new ProgressLine(), list)

  test('names rows that turn out to be of no use at once, the first few, and then counts them', () => {
    const told = printer(true)
    for (let at = 0; at < 8; at++) told.show({ type: 'skipped', row: row(at), count: at + 1 })
    // In the next epoch it comes again.
    told.show({ type: 'skipped', row: row(2), count: 9 })
    const path = join(folder, 'skipped.jsonl')
    expect(stderr).toEqual([
      ...[0, 1, 2, 3, 4].map((at) => `left out: row ${at} (i${at}): why\n`),
      `more rows are left out: from here on they are counted, and listed in ${path}\n`,
    ])
    told.tellSkipped()
    expect(stderr.at(-1)).toBe(`8 rows were left out while it trained, listed in ${path}\n`)
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(9)
    // A run that goes on says nothing of what it said before.
    stderr = []
    const next = printer(true)
    next.show({ type: 'skipped', row: row(3), count: 1 })
    next.tellSkipped()
    expect(stderr).toEqual([])
  })

  test('goes on with the smoothed loss behind a step without one', () => {
    const told = printer()
    told.show({ ...step, step: 1, loss: 4 })
    told.show({ ...step, step: 2, loss: NaN, samples: 0, skipped: true })
    expect(stdout[1]).toContain('loss NaN  smoothed 4.0000')
  })

  test('shows how far a validation is', () => {
    vi.stubEnv('TRILOBITE_STDERR_IS_TERMINAL', '1')
    printer().show({ type: 'validating', done: 3, total: 64 })
    expect(stderr.join('')).toContain('validating: 3 of 64 rows')
  })
})
