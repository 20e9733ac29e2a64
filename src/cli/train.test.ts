import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { OutOfMemoryError } from '../kernels/errors'
import { TrainingError } from '../model/errors'
import type { EngineEvent } from '../worker/api'
import type { RunInfo, SkippedRow, TrainingEvent } from '../worker/training-api'
import { parseCommandLine } from './args'
import type { KeptRun } from './run-folder'
import { lockFolder } from './run-lock'
import { supervised, train } from './train'
import type { TrainArgs } from './train-args'
import { formatGradients } from './train-output'
import { lookThrough, openTrainingData, readOrder } from './training-data'

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
    'eval/none.json': '[{"image":"gone.png","caption":"A dog."}]',
    'figures/train.json': rows(2),
    'figures/eval.json': '{"accuracy":0.5}',
    'figures/0.png': 'x',
    'empty/train.json': rows(1),
    'empty/test.json': '[]',
    'empty/0.png': 'x',
    'order.json': '[[[0,1],[1]],[[0]]]',
    'recorded.json': '{"case":"x","micro_batches":[[[0,1],[1]],[[0]]]}',
    'curve.json': '{"order":[[0,1],[1]],"steps":[]}',
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
      expect.stringMatching(/^1 held-out row lies beside the data \(.*\) and will validate$/),
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
    await expect(open({ data: 'set/train.json', evalData: join(root, 'eval/none.json') })).rejects.toThrow(
      'none of the 1 rows of none can be used; the first, row 0: its picture gone.png is not there',
    )
  })

  test.each([
    ['figures/train.json', /accuracy/],
    ['empty/train.json', /test\.json holds no rows/],
    ['empty', /test\.json holds no rows/],
  ])('is not validated on what is only called as held-out rows are: %s', async (data, why) => {
    const { dataset, notes } = await open({ data })
    expect(dataset.heldOut).toBeUndefined()
    expect(notes).toEqual([
      expect.stringMatching(
        /^a file beside the data is called as one of held-out rows is, and let be: .*--eval-data/,
      ),
    ])
    expect(notes[0]).toMatch(why)
    // Nobody looks at it where something else validates.
    expect((await open({ data, heldOut: 0 })).notes).toEqual([])
    expect((await open({ data }, null)).notes).toEqual([])
  })

  describe('looked through', () => {
    const look = async (args: { data: string; evalData?: string; heldOut?: number }, kept?: KeptRun) => {
      const told: string[] = []
      const leaveOut = (rows: readonly SkippedRow[], of: string) =>
        told.push(...rows.map(({ row, heldOut }) => `${heldOut ? 'held-out row' : 'row'} ${row} of ${of}`))
      const progress = { show: () => {}, clear: () => {}, note: (text: string) => told.push(text) }
      const paths = { ...args, data: join(root, args.data) }
      const rest = { images: undefined, evalData: undefined, heldOut: undefined }
      const dataset = await lookThrough({ ...rest, ...paths }, kept, { signal, progress, leaveOut })
      return { dataset, told }
    }

    test('tells what is left out of both', async () => {
      const evalData = join(root, 'plain/rows.json')
      const { told } = await look({ data: 'set/train.json', evalData })
      expect(told).toEqual(['held-out row 2 of 3 held-out rows'])
      expect((await look({ data: 'figures/train.json' })).told).toEqual([
        expect.stringContaining('let be'),
        'row 1 of 2 rows',
      ])
    })

    test('says what is wrong where nothing of it can be used', async () => {
      await expect(look({ data: 'eval/none.json' })).rejects.toThrow(
        /none of the 1 rows of none can be used; the first, row 0: its picture gone.png is not there.*--images/,
      )
    })

    test('for a run that goes on has as many held-out rows as it began with', async () => {
      const kept = (rows: number) =>
        ({
          info: {
            recipe: { template: 'plain' },
            dataset: { heldOut: Array.from({ length: rows }, () => 0) },
          },
          settings: { heldOutData: 'f' },
        }) as unknown as KeptRun
      const evalData = join(root, 'eval/other.json')
      await look({ data: 'set/train.json', evalData, heldOut: 9 }, kept(2))
      await expect(look({ data: 'set/train.json', evalData, heldOut: 1 }, kept(2))).rejects.toThrow(
        '--held-out 1 (the run has 2 of the held-out file)',
      )
      await expect(look({ data: 'figures/train.json' }, kept(2))).rejects.toThrow(
        'give its --eval-data again',
      )
    })
  })
})

describe('what is wrong before the model is opened', () => {
  const out = () => join(root, 'out')
  const told: string[] = []
  beforeEach(() => {
    told.length = 0
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await rm(out(), { recursive: true, force: true })
  })
  const start = (data: string, ...more: string[]) =>
    train(
      parseCommandLine(
        ['train', '--model', './nowhere', '--data', join(root, data), '--out', out()].concat(more),
      ) as TrainArgs,
    )

  test('leaves no folder where nothing is to be kept', async () => {
    await expect(start('set/train.json')).rejects.toThrow('--model: expected a folder')
    expect(existsSync(out())).toBe(false)
  })

  test('is an order that cannot be', async () => {
    const order = ['--order', join(root, 'order.json')]
    await expect(start('figures/train.json', ...order)).rejects.toThrow(
      'order: step 0, micro-batch 0: row 1 cannot be trained on',
    )
    await expect(start('set/train.json', ...order)).rejects.toThrow('--model: expected a folder')
  })

  test('is data of which nothing can be used; why is listed, and does not stand in the way', async () => {
    for (let i = 0; i < 2; i++) {
      await expect(start('eval/none.json')).rejects.toThrow('none of the 1 rows of none can be used')
      expect(told.join('')).toContain(
        `1 of 1 rows is left out, listed in ${out()}/skipped.jsonl:\n  row 0 (0, gone.png): its picture gone.png is not there\n`,
      )
      expect(await readdir(out())).toEqual(['skipped.jsonl'])
      told.length = 0
    }
  })

  test('is another process that trains there', async () => {
    const release = await lockFolder(out())
    await expect(start('eval/none.json')).rejects.toThrow(`delete ${out()}/lock`)
    expect(await readdir(out())).toEqual(['lock'])
    release()
  })
})

describe('order', () => {
  test('is read from JSON', async () => {
    expect(await readOrder(join(root, 'order.json'))).toEqual([[[0, 1], [1]], [[0]]])
    expect(await readOrder(join(root, 'recorded.json'))).toEqual([[[0, 1], [1]], [[0]]])
    expect(await readOrder(join(root, 'curve.json'))).toEqual([[0, 1], [1]])
    await expect(readOrder(join(root, 'broken.json'))).rejects.toThrow('is not JSON')
    await expect(readOrder(join(root, 'none.json'))).rejects.toThrow('cannot be read')
  })
})

test('a gradient check that fails says which', () => {
  const check = {
    name: 'linear_1.weight',
    analytic: 1,
    numeric: 1.5,
    relativeError: 0.33,
    passed: false,
    resolved: true,
  }
  const report = { model: 'm', adapter: 'a', loss: 2, tolerance: 0.02, passed: false, checks: [check], ms: 5 }
  const text = formatGradients(report)
  expect(text).toMatch(/linear_1\.weight {2} +1\.00000e\+0 {2} +1\.50000e\+0 {2} +3\.3e-1 {2}FAILED/)
  expect(text).toContain('gradients are WRONG: 1 of 1 checks beyond 0.02')
})

test('a gradient check counts what is too small to tell apart', () => {
  const flat = {
    name: 'bias',
    analytic: 0,
    numeric: 1e-7,
    relativeError: 0.02,
    passed: true,
    resolved: false,
  }
  const checks = [
    flat,
    { ...flat, name: 'weight', analytic: 1, numeric: 1, relativeError: 0, resolved: true },
  ]
  const report = { model: 'm', adapter: 'a', loss: 2, tolerance: 0.02, passed: true, checks, ms: 500 }
  const text = formatGradients(report)
  expect(text).toMatch(/^bias .* too small to tell$/m)
  expect(text).toMatch(/^weight .* ok$/m)
  expect(text).toContain('gradients are right: 1 checks within 0.02, 1 too small to tell (0.5 s)')
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
      lose: () =>
        isLost && tell({ type: 'not-recovered', name: 'DeviceLostError', message: 'the GPU went away.' }),
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
