import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { ChatModel } from '../chat-model'
import { AbortError, TrainingError } from '../errors'
import type { Dataset, LogRecord, Recipe, SkippedRow } from './definition'
import { readLog } from './log'
import { recipes } from './recipes'
import { Runs } from './run-state'
import { LOG_FILE, MemoryRuns, type RunFiles } from './run-store'
import { FakeTrainer } from './testing/fake-trainer'
import { Died, DyingRuns } from './testing/runs'
import { Trainer } from './trainer'
import { TrainingRun, type NewRun, type RunEvent, type RunHost } from './training-run'

const STEPS = 7

const request: NewRun = {
  name: 'test',
  id: 'a',
  recipe: { ...recipes['llava-1.5'].recipe, batchSize: 2, accumulate: 1, steps: STEPS },
  heldOut: 2,
  evaluateEvery: 4,
  captions: 2,
  checkpointEvery: 3,
}

/** Ten rows, of which one names a picture that is missing. */
const datasetOf = ({ missing = 4, heldOut }: { missing?: number; heldOut?: Dataset } = {}): Dataset => ({
  name: 'pairs',
  length: 10,
  fingerprint: 'abc',
  heldOut,
  sample: () => Promise.reject(new Error('not read here')),
  image: () => Promise.reject(new Error('not read here')),
  async scan() {
    const skipped: SkippedRow = { row: missing, id: 'x', image: 'x.png', reason: 'its picture is missing' }
    const usable = [...Array(10).keys()].filter((row) => row !== missing)
    return { usable: Uint32Array.from(usable), skipped: [skipped] }
  },
})

interface ModelChanges {
  name?: string
  dtype?: string
  towerDtype?: string
  config?: object
  processors?: object[]
  jinja?: string
  supervise?: (conversation: readonly object[], recipe: Recipe) => object
}

const modelOf = ({ supervise, ...changes }: ModelChanges = {}): ChatModel => {
  const { name = 'm', config = { model_type: 'llava' }, processors = [{ type: 'CLIP' }] } = changes
  return {
    opened: {
      ...{ source: { name }, config, processors, files: {}, jinjaTemplate: changes.jinja },
      ...{ blueprint: {}, checkpoints: [], tensors: new Map(), externals: new Map() },
    },
    plan: { dtype: changes.dtype ?? 'q8', towerDtype: changes.towerDtype ?? 'f16' },
    tokenizer: { supervise: supervise ?? (() => ({ ids: [1, 2], labels: [-100, 2] })) },
  } as unknown as ChatModel
}

let files: MemoryRuns
beforeEach(() => {
  files = new MemoryRuns()
  vi.spyOn(Trainer, 'create').mockImplementation(
    async (...of) => (await FakeTrainer.create(...of)) as unknown as Trainer,
  )
})

const hostOf = (of: RunFiles, onEvent: (event: RunEvent) => void = () => {}): RunHost => ({
  runs: new Runs(of),
  codecs: {} as RunHost['codecs'],
  onEvent,
  signal: new AbortController().signal,
})

const begin = (of: RunFiles = files, onEvent?: (event: RunEvent) => void) =>
  TrainingRun.begin(modelOf(), datasetOf(), request, hostOf(of, onEvent))

const resume = (of: RunFiles = files, model = modelOf(), dataset = datasetOf()) =>
  TrainingRun.resume(model, dataset, 'a', hostOf(of))

const { signal } = new AbortController()

async function finish(run: TrainingRun): Promise<void> {
  while (!run.isDone) await run.advance(signal)
  await run.settle('done')
}

/** Log and weights of a run that nothing interrupted. */
async function whole(): Promise<{ log: LogRecord[]; state: object }> {
  const undisturbed = new MemoryRuns()
  await finish(await begin(undisturbed))
  return {
    log: await readLog(undisturbed, 'a'),
    state: await new Runs(undisturbed).readCheckpoint('a'),
  }
}

describe('a run', () => {
  test('writes everything down that it told', async () => {
    const told: RunEvent[] = []
    await finish(await begin(files, (event) => told.push(event)))
    const log = await readLog(files, 'a')
    expect(told.filter(({ type }) => ['step', 'evaluation', 'caption'].includes(type))).toEqual(log)
    expect(log.filter(({ type }) => type === 'evaluation').map(({ step }) => step)).toEqual([0, 4, 7])
    expect(told.flatMap((event) => (event.type === 'checkpoint' ? [event.step] : []))).toEqual([0, 3, 6, 7])
  })

  test('that dies at any moment goes on to the same numbers and the same log', async () => {
    const expected = await whole()
    let goneOn = 0
    for (let last = 0; ; last++) {
      files = new MemoryRuns()
      const dying = new DyingRuns(files, last)
      const death = await begin(dying)
        .then(finish)
        .catch((error: unknown) => error)
      if (death === undefined) break
      expect(death).toBeInstanceOf(Died)
      const [listed] = await new Runs(files).list()
      if (!listed || listed.state === 'failed') continue
      goneOn++
      await finish(await resume())
      expect(await readLog(files, 'a')).toEqual(expected.log)
      expect(await new Runs(files).readCheckpoint('a')).toEqual(expected.state)
    }
    expect(goneOn).toBeGreaterThan(15)
  })

  test('that is stopped behind its first validation validates once in its log', async () => {
    const expected = await whole()
    const stop = new AbortController()
    const run = await begin(files, ({ type }) => type === 'caption' && stop.abort())
    await expect(run.advance(stop.signal)).rejects.toThrow(AbortError)
    expect(await run.settle('stopped')).toMatchObject({ state: 'stopped', step: 0 })
    expect((await readLog(files, 'a')).map(({ type }) => type)).toEqual(['evaluation', 'caption', 'caption'])
    await finish(await resume())
    expect(await readLog(files, 'a')).toEqual(expected.log)
  })

  test('that was deleted meanwhile stays deleted', async () => {
    const run = await begin()
    await run.advance(signal)
    await new Runs(files).remove('a')
    await expect(run.settle('paused')).rejects.toThrow('was it deleted?')
    expect(await files.runs()).toEqual([])
  })

  test('for whose log there is no room keeps it in memory', async () => {
    const run = await begin()
    await run.advance(signal)
    const log = await run.log()
    expect(log.length).toBe(4)
    vi.spyOn(files, 'append').mockRejectedValueOnce(new TrainingError('no room'))
    await expect(run.settle('paused')).rejects.toThrow('no room')
    expect(await run.log()).toEqual(log)
    await run.settle('paused')
    expect(await run.log()).toEqual(log)
    expect(await files.size('a', LOG_FILE)).toBeGreaterThan(0)
  })
})

describe('a run that goes on', () => {
  test('takes the same model and data', async () => {
    await begin()
    expect((await resume()).info).toMatchObject({ state: 'running', step: 0 })
  })

  test.each<[string, ModelChanges, string]>([
    ['name', { name: 'n' }, "this run's model was m, but now it is n. Load that model first."],
    ['precision', { dtype: 'q4' }, "this run's precision was q8, but now it is q4."],
    [
      'precision of towers',
      { towerDtype: 'q8' },
      "this run's precision of the vision towers was f16, but now it is q8. Load the model with as much memory",
    ],
    [
      'config',
      { config: { model_type: 'llava', mm_hidden_size: 4 } },
      'expected the config.json of m as when this run began, got another. Load the revision of the model',
    ],
    [
      'chat template',
      { supervise: () => ({ ids: [3, 2], labels: [-100, 2] }) },
      'expected the chat template and the tokenizer as when this run began, got another. Load the model with',
    ],
    [
      'preprocessing',
      { processors: [{ type: 'SigLIP' }] },
      'expected the preprocessing of pictures as when this run began, got another.',
    ],
  ])('refuses a model of another %s', async (_, changes, message) => {
    await begin()
    const before = await new Runs(files).get('a')
    await expect(resume(files, modelOf(changes))).rejects.toThrow(TrainingError)
    await expect(resume(files, modelOf(changes))).rejects.toThrow(`train: ${message}`)
    expect(await new Runs(files).get('a')).toEqual(before)
  })

  test('takes a template that tells the date on another day', async () => {
    const on = (day: number) => ({
      jinja: '{{ strftime_now("%d") }}',
      supervise: () => ({ ids: [day, 7], labels: [-100, 7] }),
    })
    await TrainingRun.begin(modelOf(on(1)), datasetOf(), request, hostOf(files))
    await resume(files, modelOf(on(2)))
  })

  test.each<[string, Dataset, string]>([
    [
      'other rows',
      { ...datasetOf(), fingerprint: 'def' },
      "this run's data was abc, but now it is def. Give the same data again (pairs, 10 rows).",
    ],
    [
      'held-out rows of their own',
      datasetOf({ heldOut: datasetOf() }),
      "this run's held-out data was a part of the data itself, but now it is abc.",
    ],
    [
      'another picture missing',
      datasetOf({ missing: 5 }),
      'expected the rows that this run began with to be usable (9 of 10 rows), got others (9 of 10 rows). Put back',
    ],
  ])('refuses data with %s', async (_, dataset, message) => {
    await begin()
    await expect(resume(files, modelOf(), dataset)).rejects.toThrow(TrainingError)
    await expect(resume(files, modelOf(), dataset)).rejects.toThrow(`train: ${message}`)
  })

  test('refuses settings of another version', async () => {
    await begin()
    await files.write('a', 'settings.json', new TextEncoder().encode('{"version":1}'))
    await expect(resume()).rejects.toThrow(
      'settings.json of this run is missing, damaged or of another version',
    )
  })
})
