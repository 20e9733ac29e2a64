import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OutOfMemoryError } from '../kernels/errors'
import { TrainingError } from '../model/errors'
import { recipes } from '../model/train/recipes'
import type { EngineEvent } from '../worker/api'
import type { RunInfo, TrainingEvent } from '../worker/training-api'
import { recipeOf, supervised } from './train'
import { duration, endJson, formatGradients, skippedLines, stepJson, stepLine } from './train-output'
import { openTrainingData, readOrder } from './training-data'

const { signal } = new AbortController()
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-train-'))
  const rows = (count: number) =>
    JSON.stringify(Array.from({ length: count }, (_, i) => ({ image: `${i}.png`, caption: 'A cat.' })))
  const files = {
    'plain/rows.json': rows(3),
    'plain/0.png': 'x',
    'plain/2.png': 'x',
    'set/train.json': rows(2),
    'set/heldout.json': rows(1),
    'set/0.png': 'x',
    'set/1.png': 'x',
    'eval/other.json': rows(2),
    'order.json': '[[[0,1],[1]],[[0]]]',
    'broken.json': '[[',
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
})
afterAll(() => rm(root, { recursive: true }))

const open = (
  { data, ...rest }: { data: string; images?: string; evalData?: string; heldOut?: number },
  validatedOn?: string | null,
) =>
  openTrainingData(
    { images: undefined, evalData: undefined, heldOut: undefined, ...rest, data: join(root, data) },
    signal,
    validatedOn,
  )

describe('data of a run', () => {
  test('is looked through once', async () => {
    const { dataset, notes } = await open({ data: 'plain/rows.json' })
    expect(notes).toEqual([])
    expect(dataset.heldOut).toBeUndefined()
    const first = await dataset.scan()
    expect([...first.usable]).toEqual([0, 2])
    expect(first.skipped).toMatchObject([{ row: 1, image: '1.png' }])
    await writeFile(join(root, 'plain/1.png'), 'x')
    expect(await dataset.scan()).toBe(first)
    const stopped = await open({ data: 'plain/rows.json' })
    await expect(stopped.dataset.scan({ signal: AbortSignal.abort() })).rejects.toThrow('cancelled')
    expect([...(await stopped.dataset.scan()).usable]).toEqual([0, 1, 2])
  })

  test('is validated on the file beside it, and says so', async () => {
    const { dataset, notes } = await open({ data: 'set/train.json' })
    expect(dataset.heldOut?.length).toBe(1)
    expect(notes).toEqual([
      expect.stringMatching(/^1 held-out rows lie beside the data \(.*\): they validate$/),
    ])
  })

  test('is validated on rows of its own where these are asked for, and as it began', async () => {
    expect((await open({ data: 'set/train.json', heldOut: 0 })).dataset.heldOut).toBeUndefined()
    expect((await open({ data: 'set/train.json' }, null)).dataset.heldOut).toBeUndefined()
    expect((await open({ data: 'set/train.json' }, 'fingerprint')).dataset.heldOut?.length).toBe(1)
  })

  test('is validated on another file with the same pictures', async () => {
    const evalData = join(root, 'eval/other.json')
    const { dataset, notes } = await open({ data: 'set/train.json', evalData })
    expect(dataset.heldOut?.length).toBe(2)
    expect((await dataset.heldOut!.scan()).skipped).toEqual([])
    expect(notes).toEqual([])
  })
})

describe('order', () => {
  test('is read from JSON', async () => {
    expect(await readOrder(join(root, 'order.json'))).toEqual([[[0, 1], [1]], [[0]]])
    await expect(readOrder(join(root, 'broken.json'))).rejects.toThrow('is not JSON')
    await expect(readOrder(join(root, 'none.json'))).rejects.toThrow('cannot be read')
  })

  test('says batch and accumulation, and how many steps there can be', () => {
    const notes: string[] = []
    const note = (text: string) => notes.push(text)
    const order = [[[0, 1], [1]], [[0]]]
    expect(recipeOf({ recipe: undefined, changes: { batchSize: 2 } }, order, note)).toMatchObject({
      batchSize: 2,
      accumulate: 2,
    })
    expect(recipeOf({ recipe: undefined, changes: {} }, [[4, 5, 6]], note)).toMatchObject({
      batchSize: 3,
      accumulate: 1,
    })
    expect(notes).toEqual([])
    recipeOf({ recipe: undefined, changes: { batchSize: 8, steps: 5 } }, order, note)
    expect(notes).toEqual([
      'the order says which rows go together: --batch-size 8 gives way to its 2',
      'the order has 2 steps, which are trained instead of --steps 5',
    ])
    // What is wrong with these is told when the data is known.
    for (const malformed of [{}, [], [[]], [[[]]], 'x']) {
      expect(recipeOf({ recipe: undefined, changes: {} }, malformed, note).batchSize).toBe(4)
    }
  })
})

test('a recipe begins with the checkpoint’s connector unless a new one is asked for', () => {
  const of = (recipe: 'tinyllava' | undefined, changes = {}) =>
    recipeOf({ recipe, changes }, undefined, () => {})
  expect(of(undefined)).toEqual({ ...recipes['llava-1.5'].recipe, start: 'checkpoint' })
  expect(of('tinyllava', { start: 'fresh', learningRate: 0.5 })).toEqual({
    ...recipes.tinyllava.recipe,
    learningRate: 0.5,
  })
})

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
  expect(endJson({ done: true, out: 'o', evalLoss: 1.5, steps: 9 })).toBe(
    '{"done":true,"out":"o","evalLoss":1.5,"steps":9}\n',
  )
  expect(endJson({ done: false, out: 'o', steps: 2 })).toBe(
    '{"done":false,"out":"o","evalLoss":null,"steps":2}\n',
  )
})

test('lines for people', () => {
  expect(stepLine(step, 20, 2.75)).toBe(
    'step 3 of 20  loss 2.5000  smoothed 2.7500  lr 0.00100  grad norm 1.25  8.00 samples/s  1:02:05 left',
  )
  expect([0, 5.4, 59.6, 754, 3600].map(duration)).toEqual(['0:00', '0:05', '1:00', '12:34', '1:00:00'])
  const skipped = Array.from({ length: 7 }, (_, row) => ({
    row,
    id: `i${row}`,
    image: undefined,
    reason: 'why',
  }))
  expect(skippedLines([], 9)).toEqual([])
  expect(skippedLines(skipped.slice(0, 1), 9)).toEqual(['1 of 9 rows is left out:', '  row 0 (i0): why'])
  expect(skippedLines(skipped, 9)).toHaveLength(7)
  expect(skippedLines(skipped, 9).at(-1)).toBe('  and 2 more')
})

test('a gradient check that fails says which', () => {
  const check = { name: 'linear_1.weight', analytic: 1, numeric: 1.5, relativeError: 0.33, passed: false }
  const report = { model: 'm', adapter: 'a', loss: 2, tolerance: 0.02, passed: false, checks: [check], ms: 5 }
  const text = formatGradients(report)
  expect(text).toMatch(/linear_1\.weight {2} +1\.00000e\+0 {2} +1\.50000e\+0 {2} +3\.3e-1 {2}FAILED/)
  expect(text).toContain('gradients are WRONG: 1 of 1 checks beyond 0.02')
})

describe('a run under watch', () => {
  const info = { state: 'paused', step: 3 } as RunInfo
  const event: TrainingEvent = { type: 'checkpoint', step: 3 }
  const quiet = { seen: false, on: () => {} }
  function engineThat(isLost = false, isReady = () => true) {
    const asked: string[] = []
    let tell = (_: EngineEvent) => {}
    return {
      asked,
      lose: () => isLost && tell({ type: 'device-lost', reason: 'lost', message: 'the GPU went away.' }),
      watch: async (listener: (event: EngineEvent) => void) => void (tell = listener),
      training: {
        controlTraining: async (action: string) => {
          asked.push(action)
          if (!isReady()) throw new TrainingError('no run is in memory')
        },
      },
    }
  }
  const folder = (step: number | undefined) => ({ path: 'out', checkpointStep: async () => step })

  test('says where it can go on when memory runs out or the device goes', async () => {
    const full = async () => {
      throw new OutOfMemoryError('buffer: 3 GB were refused')
    }
    const run = (step: number | undefined) => supervised(engineThat(), folder(step), quiet, full, () => {})
    await expect(run(30)).rejects.toMatchObject({
      name: 'OutOfMemoryError',
      message: 'buffer: 3 GB were refused. The run is kept at step 30 in out: go on with --resume.',
    })
    await expect(run(undefined)).rejects.toThrow(/refused$/)
    const engine = engineThat(true)
    const lost = async () => {
      engine.lose()
      return info
    }
    await expect(supervised(engine, folder(7), quiet, lost, () => {})).rejects.toMatchObject({
      name: 'DeviceLostError',
      message: 'the GPU went away. The run is kept at step 7 in out: go on with --resume.',
    })
  })

  test('is paused by Ctrl+C as soon as there is something to pause', async () => {
    let isReady = false
    const engine = engineThat(false, () => isReady)
    const interrupt = {
      seen: false,
      on: (listener: () => void) => (interrupt.press = listener),
      press: () => {},
    }
    const run = async (onEvent: (event: TrainingEvent) => void) => {
      onEvent(event)
      interrupt.seen = true
      interrupt.press()
      await new Promise((done) => setTimeout(done))
      isReady = true
      onEvent(event)
      onEvent(event)
      return info
    }
    expect(await supervised(engine, folder(3), interrupt, run, () => {})).toBe(info)
    expect(engine.asked).toEqual(['pause', 'pause'])
  })
})
