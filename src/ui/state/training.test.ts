import { beforeEach, describe, expect, test, vi } from 'vitest'
import { recipes } from '../../model/train/recipes'
import type { ModelInfo } from '../../worker/api'
import type {
  DatasetInfo,
  DatasetSource,
  KnownRecipe,
  LogRecord,
  Recipe,
  RunInfo,
  TrainingApi,
  TrainingEvent,
  TrainingPlan,
} from '../../worker/client'
import type { RunData } from '../train/run-data'
import type { EngineState } from './engine.svelte'
import { Training } from './training.svelte'

const recipe: Recipe = { ...recipes['llava-1.5'].recipe, imageAspectRatio: 'model' }
const known: KnownRecipe = { title: 'LLaVA 1.5', recipe, sources: {} }
const zip: DatasetSource = { kind: 'zip', file: new File(['12345'], 'set.zip') }
const info = { name: 'set', rows: 203, usable: 200, heldOutRows: 0, skippedCount: 3 } as DatasetInfo
const run: RunInfo = {
  id: 'a',
  name: 'mine',
  model: 'tiny',
  createdAt: 1,
  recipe,
  dataset: { name: 'set', fingerprint: 'f', rows: 203, skipped: 3, heldOut: [] },
  state: 'running',
  step: 0,
  steps: 10,
  checkpointStep: 0,
}
const stepEvent = (step: number): Extract<TrainingEvent, { type: 'step' }> => ({
  type: 'step',
  step,
  loss: 1 / step,
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
const named = (name: string, message = 'why') => Object.assign(new Error(message), { name })

/** An engine whose training is what a test says. */
function stage(overrides: Partial<TrainingApi> = {}) {
  const listed: RunInfo[] = []
  const saved = new Map<string, RunData>()
  const said: string[] = []
  const client = {
    recipes: vi.fn(async () => [known]),
    runs: vi.fn(async () => listed),
    openDataset: vi.fn(async () => info),
    planTraining: vi.fn(async () => ({ steps: 10 }) as TrainingPlan),
    runLog: vi.fn(async () => []),
    controlTraining: vi.fn(async () => {}),
    cancelOpening: vi.fn(async () => {}),
    ...overrides,
  } as unknown as TrainingApi
  const engine = {
    isReady: true,
    status: 'ready',
    model: { model: 'tiny' } as ModelInfo | undefined,
    target: {
      label: 'tiny',
      source: { kind: 'url', baseUrl: 'https://x.example/models/tiny/' },
      options: {},
    },
    call: <T>(call: (client: TrainingApi) => Promise<T>) => call(client),
    load: vi.fn(async () => true),
  }
  const store = {
    load: async (id: string) => saved.get(id),
    save: async (id: string, data: RunData) => void saved.set(id, data),
    delete: async (id: string) => void saved.delete(id),
  }
  const training = new Training(engine as unknown as EngineState, store, (text) => said.push(text))
  return { training, client, engine, listed, saved, said }
}

async function prepared(overrides: Partial<TrainingApi> = {}) {
  const staged = stage(overrides)
  await staged.training.start()
  await staged.training.setup.open(zip)
  return staged
}

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('document', { hidden: true, baseURI: 'https://x.example/' })
})

describe('preparing a run', () => {
  test('recipe and data make a request with a name', async () => {
    const { training } = await prepared()
    const { request } = training.setup
    expect(request).toMatchObject({
      recipe,
      dataset: zip,
      name: 'set, llava-1.5',
      heldOut: 20,
      checkpointEvery: 25,
    })
    training.setup.form.texts.learningRate = '5e-4'
    expect(training.setup.request?.name).toBe('set, llava-1.5, changed')
    training.setup.nameText = ' Mine '
    expect(training.setup.request?.name).toBe('Mine')
  })

  test('there is none while a setting cannot stay, or no row can be used', async () => {
    const { training } = await prepared()
    training.setup.texts.captions = 'few'
    expect(training.setup.request).toBeUndefined()
    expect(training.setup.problems.captions).toContain('not a number')
    const empty = await prepared({ openDataset: async () => ({ ...info, usable: 0 }) })
    expect(empty.training.setup.request).toBeUndefined()
  })

  test('data that is refused leaves words', async () => {
    const { training } = await prepared({
      openDataset: async () => {
        throw named('DatasetError', 'dataset: expected a .json')
      },
    })
    expect(training.setup.dataProblem).toMatchObject({
      name: 'DatasetError',
      detail: 'dataset: expected a .json',
    })
    expect(training.setup.source).toBeUndefined()
  })

  test('data that another choice overtook is dropped', async () => {
    const answers: ((data: DatasetInfo) => void)[] = []
    const { training, client } = stage({ openDataset: () => new Promise((resolve) => answers.push(resolve)) })
    const first = training.setup.open(zip)
    const second = training.setup.open({ kind: 'zip-url', url: 'samples/x.zip', name: 'other' })
    await vi.waitFor(() => expect(answers).toHaveLength(2))
    expect(client.cancelOpening).toHaveBeenCalledTimes(1)
    answers[1]!({ ...info, name: 'other' })
    await second
    answers[0]!(info)
    await first
    expect(training.setup.data?.name).toBe('other')
  })

  test('plans are asked for one at a time, and the last settings are asked about', async () => {
    const answers: ((plan: TrainingPlan) => void)[] = []
    const asked: number[] = []
    const { training } = await prepared({
      planTraining: (request) => {
        asked.push(request.recipe.learningRate)
        return new Promise((resolve) => answers.push(resolve))
      },
    })
    const { setup } = training
    const planned = setup.updatePlan()
    setup.form.texts.learningRate = '0.5'
    void setup.updatePlan()
    setup.form.texts.learningRate = '0.25'
    void setup.updatePlan()
    expect(asked).toEqual([0.001])
    answers[0]!({ steps: 1 } as TrainingPlan)
    await vi.waitFor(() => expect(asked).toEqual([0.001, 0.25]))
    answers[1]!({ steps: 2 } as TrainingPlan)
    await planned
    expect([setup.plan?.steps, setup.isPlanning]).toEqual([2, false])
  })
})

describe('training', () => {
  /** A run that a test drives by hand. */
  function driven() {
    let tell = (_event: TrainingEvent) => {}
    let end = (_run: RunInfo) => {}
    let fail = (_error: Error) => {}
    const start = (onEvent: (event: TrainingEvent) => void) => {
      tell = onEvent
      return new Promise<RunInfo>((resolve, reject) => {
        end = resolve
        fail = reject
      })
    }
    return {
      api: {
        train: vi.fn((_request, onEvent) => start(onEvent)),
        resumeTraining: vi.fn((_run, _data, onEvent) => start(onEvent)),
      } as Partial<TrainingApi>,
      tell: (event: TrainingEvent) => tell(event),
      end: (value: RunInfo) => end(value),
      fail: (error: Error) => fail(error),
    }
  }

  test('keeps data and model from the first event on', async () => {
    const play = driven()
    const { training, saved, listed, said } = await prepared(play.api)
    const trained = training.train()
    expect(training.view).toBe('run')
    expect([training.isTraining, training.live?.asked]).toEqual([true, 'start'])
    play.tell({ type: 'run', run })
    await vi.waitFor(() => expect(saved.get('a')?.dataset).toBe(zip))
    expect(saved.get('a')?.target?.label).toBe('tiny')
    const done: RunInfo = { ...run, state: 'done', step: 10, checkpointStep: 10 }
    listed.push(done)
    play.end(done)
    await trained
    expect([training.isTraining, training.live, training.opened?.run?.state]).toEqual([
      false,
      undefined,
      'done',
    ])
    // For the pictures beside its captions.
    expect(saved.size).toBe(1)
    expect(said).toContain('Training done')
  })

  test('forgets large data of a run that is done', async () => {
    const play = driven()
    const { training, saved, listed } = await prepared(play.api)
    const large = new File([], 'large.zip')
    Object.defineProperty(large, 'size', { value: 30e6 })
    await training.setup.open({ kind: 'zip', file: large })
    const trained = training.train()
    play.tell({ type: 'run', run })
    await vi.waitFor(() => expect(saved.size).toBe(1))
    const done: RunInfo = { ...run, state: 'done', step: 10, checkpointStep: 10 }
    listed.push(done)
    play.end(done)
    await trained
    expect(saved.size).toBe(0)
  })

  test('a paused run stays in memory, goes on and does single steps', async () => {
    const play = driven()
    const { training, listed, client } = await prepared(play.api)
    const trained = training.train()
    play.tell({ type: 'run', run })
    const paused: RunInfo = { ...run, state: 'paused', step: 4, checkpointStep: 4 }
    listed.push(paused)
    play.end(paused)
    await trained
    expect([training.isTraining, training.isLive(paused), training.opened?.isPaused]).toEqual([
      false,
      true,
      true,
    ])

    listed[0] = { ...paused, step: 5 }
    await training.stepOnce()
    expect(client.controlTraining).toHaveBeenLastCalledWith('step')
    expect([training.opened?.step, training.isTraining]).toEqual([5, false])

    const view = training.opened
    const resumed = training.resume(paused)
    await vi.waitFor(() => expect(client.resumeTraining).toHaveBeenCalledWith('a', zip, expect.any(Function)))
    expect(training.opened).toBe(view)
    play.end(paused)
    await resumed

    listed[0] = { ...paused, state: 'stopped' }
    await training.stop()
    expect([training.live, training.opened?.run?.state]).toEqual([undefined, 'stopped'])
  })

  test('a failure leaves words where the run is looked at', async () => {
    const play = driven()
    const { training } = await prepared(play.api)
    const trained = training.train()
    play.tell({ type: 'run', run })
    play.fail(named('OutOfMemoryError', 'train: 1.2 GB refused'))
    await trained
    expect(training.opened?.problem).toMatchObject({
      name: 'OutOfMemoryError',
      detail: 'train: 1.2 GB refused',
    })
    expect(training.opened?.problem?.advice).toContain('micro-batch')
    expect(training.live).toBeUndefined()
  })

  test('a second run waits for the first', async () => {
    const play = driven()
    const { training } = await prepared(play.api)
    void training.train()
    await training.train()
    await training.resume({ ...run, id: 'b', state: 'paused' })
    expect(play.api.train).toHaveBeenCalledTimes(1)
    expect(play.api.resumeTraining).not.toHaveBeenCalled()
  })

  test('is listed from its first event on, as far as it is', async () => {
    const play = driven()
    const { training, listed, client } = await prepared(play.api)
    void training.train()
    expect(client.runs).toHaveBeenCalledTimes(1)
    listed.push(run)
    play.tell({ type: 'run', run })
    await vi.waitFor(() => expect(training.listed.map(({ id }) => id)).toEqual(['a']))
    play.tell({ type: 'run', run })
    play.tell(stepEvent(3))
    play.tell({ type: 'evaluation', step: 3, loss: 2.5, samples: 8 })
    play.tell({ type: 'checkpoint', step: 3 })
    training.live?.flush()
    expect(training.listed[0]).toMatchObject({
      step: 3,
      checkpointStep: 3,
      loss: 1 / 3,
      evaluationLoss: 2.5,
    })
    expect(client.runs).toHaveBeenCalledTimes(2)
  })

  test('is stopped while its data is read, and nothing is left of it', async () => {
    const play = driven()
    const { training, client } = await prepared({
      ...play.api,
      cancelOpening: vi.fn(async () => play.fail(named('AbortError'))),
    })
    const trained = training.train()
    expect(training.live?.isBeginning).toBe(true)
    const arrivals = training.arrivals
    await training.stop()
    await trained
    expect(client.cancelOpening).toHaveBeenCalledTimes(1)
    expect([training.live, training.opened, training.view, training.arrivals]).toEqual([
      undefined,
      undefined,
      'new',
      arrivals + 1,
    ])
  })

  test('stops though the engine could not yet when it was asked', async () => {
    const play = driven()
    const { training, client } = await prepared(play.api)
    const trained = training.train()
    await training.stop()
    expect(client.controlTraining).toHaveBeenCalledTimes(1)
    play.tell({ type: 'run', run })
    expect(client.controlTraining).toHaveBeenCalledTimes(2)
    expect(client.controlTraining).toHaveBeenLastCalledWith('stop')
    play.end({ ...run, state: 'stopped', step: 1 })
    await trained
    expect([training.live, training.opened?.run?.state]).toEqual([undefined, 'stopped'])
  })

  test('is stopped while it is being paused', async () => {
    const play = driven()
    const { training, client } = await prepared(play.api)
    const trained = training.train()
    play.tell({ type: 'run', run })
    training.live?.flush()
    void training.pause()
    expect(training.live?.asked).toBe('pause')
    void training.stop()
    expect(training.live?.asked).toBe('stop')
    expect(client.controlTraining).toHaveBeenLastCalledWith('stop')
    play.end({ ...run, state: 'stopped', step: 2 })
    await trained
    expect(training.live).toBeUndefined()
  })

  test('a run stopped while it was being gone on with is not in memory', async () => {
    const play = driven()
    const { training, listed, saved } = stage({
      ...play.api,
      cancelOpening: vi.fn(async () => play.fail(named('AbortError'))),
    })
    const paused: RunInfo = { ...run, state: 'paused', step: 4, checkpointStep: 4 }
    listed.push(paused)
    saved.set('a', { dataset: zip })
    const resumed = training.resume(paused)
    await vi.waitFor(() => expect(training.live?.isBeginning).toBe(true))
    await training.stop()
    await resumed
    expect([training.live, training.opened?.isPaused, training.opened?.problem]).toEqual([
      undefined,
      true,
      undefined,
    ])
  })

  test('a lost engine is told by the banner alone', async () => {
    const play = driven()
    const { training, engine } = await prepared(play.api)
    const trained = training.train()
    play.tell({ type: 'run', run })
    engine.status = 'lost'
    play.fail(named('DeviceLostError'))
    await trained
    expect([training.opened?.problem, training.problem, training.live]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('another model has the run paused behind a checkpoint first', async () => {
    const play = driven()
    const { training, client } = await prepared({
      ...play.api,
      controlTraining: vi.fn(async () => play.end({ ...run, state: 'paused', step: 3 })),
    })
    void training.train()
    play.tell({ type: 'run', run })
    training.live?.flush()
    await training.letGo()
    expect(client.controlTraining).toHaveBeenCalledWith('pause')
    expect([training.isTraining, training.live]).toEqual([false, undefined])
  })

  test('another model has a run stopped that has not begun', async () => {
    const play = driven()
    const { training, client } = await prepared({
      ...play.api,
      cancelOpening: vi.fn(async () => play.fail(named('AbortError'))),
    })
    void training.train()
    await training.letGo()
    expect(client.controlTraining).toHaveBeenCalledWith('stop')
    expect(training.live).toBeUndefined()
  })
})

describe('runs of an earlier visit', () => {
  const old: RunInfo = { ...run, state: 'paused', step: 6, checkpointStep: 5 }

  test('are what a visitor finds who comes back', async () => {
    const { training, listed } = stage()
    listed.push({ ...run, id: 'b', state: 'done', createdAt: 0 }, old)
    await training.start()
    expect(training.view).toBe('runs')
    expect(training.runs.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  test('go on in one click where data was kept, the model loaded on the way', async () => {
    const resumeTraining = vi.fn(async () => ({ ...old, state: 'done' as const, step: 10 }))
    const { training, listed, saved, engine } = stage({ resumeTraining })
    listed.push(old)
    saved.set('a', {
      dataset: zip,
      target: {
        label: 'tiny',
        source: { kind: 'url', baseUrl: 'https://x.example/models/tiny/' },
        options: { dtype: 'auto' },
      },
    })
    engine.model = undefined
    engine.load.mockImplementation(async () => {
      engine.model = { model: 'tiny' } as ModelInfo
      return true
    })
    await training.start()
    await training.resume(old)
    expect(engine.load).toHaveBeenCalledTimes(1)
    expect(resumeTraining).toHaveBeenCalledWith('a', zip, expect.any(Function))
    expect(training.lacks.size).toBe(0)
  })

  test('say what they lack: a model of elsewhere, or data that was not kept', async () => {
    const resumeTraining = vi.fn(async () => old)
    const { training, listed, saved, engine } = stage({ resumeTraining })
    listed.push(old)
    saved.set('a', {
      dataset: zip,
      target: { label: 'far', source: { kind: 'hub', repo: 'a/far' }, options: { dtype: 'auto' } },
    })
    engine.model = { model: 'another' } as ModelInfo
    await training.resume(old)
    expect([training.lacks.get('a'), engine.load.mock.calls.length]).toEqual(['model', 0])

    engine.model = { model: 'tiny' } as ModelInfo
    saved.set('a', {})
    await training.resume(old)
    expect(training.lacks.get('a')).toBe('data')
    expect(resumeTraining).not.toHaveBeenCalled()

    await training.resume(old, zip)
    expect(training.lacks.size).toBe(0)
    expect(resumeTraining).toHaveBeenCalledWith('a', zip, expect.any(Function))
  })

  test('go on once, however often that is asked', async () => {
    const resumeTraining = vi.fn(async () => ({ ...old, state: 'done' as const, step: 10 }))
    const { training, listed, saved } = stage({ resumeTraining })
    listed.push(old)
    saved.set('a', { dataset: zip })
    training.lacks.set('a', 'model')
    await Promise.all([training.resume(old), training.resume(old), training.train()])
    expect(resumeTraining).toHaveBeenCalledTimes(1)
    expect([training.lacks.size, training.isBusy]).toEqual([0, false])
  })

  test('go on while an answer is being written: training takes its turn', async () => {
    const resumeTraining = vi.fn(async () => ({ ...old, state: 'done' as const, step: 10 }))
    const { training, saved, engine } = stage({ resumeTraining })
    saved.set('a', { dataset: zip })
    Object.assign(engine, { isReady: false, status: 'answering' })
    await training.resume(old)
    expect(resumeTraining).toHaveBeenCalledTimes(1)
    expect(engine.load).not.toHaveBeenCalled()
  })

  test('do not take a visitor back who went elsewhere while they were listed', async () => {
    const { training, listed } = stage()
    listed.push(old)
    const started = training.start()
    training.goTo('check')
    await started
    expect(training.view).toBe('check')
  })

  test('that another tab trains are followed', async () => {
    const runLog = vi.fn(async () => [] as LogRecord[])
    const { training, listed } = stage({ runLog })
    listed.push({ ...old, isElsewhere: true })
    await training.start()
    expect(training.view).toBe('new')
    await training.show(training.runs[0]!)
    expect([training.opened?.isPaused, runLog.mock.calls.length]).toEqual([false, 1])
    listed[0] = { ...old, step: 8, checkpointStep: 8 }
    runLog.mockResolvedValue([{ ...stepEvent(8), type: 'step' }])
    await training.refresh()
    expect([training.opened?.step, training.opened?.checkpointStep, training.opened?.isPaused]).toEqual([
      8,
      8,
      true,
    ])
    expect(training.opened?.history.steps).toEqual([8])
  })

  test('a list that a later one overtook is dropped', async () => {
    const answers: ((runs: RunInfo[]) => void)[] = []
    const { training } = stage({ runs: () => new Promise((resolve) => answers.push(resolve)) })
    const both = [training.refresh(), training.refresh()]
    answers[1]!([old])
    answers[0]!([])
    await Promise.all(both)
    expect(training.runs).toEqual([old])
  })

  test('a paused run in hand is renamed while another one is looked at', async () => {
    const paused: RunInfo = { ...old, step: 5 }
    const other: RunInfo = { ...old, id: 'b', name: 'other', createdAt: 0 }
    const { training, listed, saved } = stage({
      resumeTraining: async () => paused,
      renameRun: async (id, name) => {
        const i = listed.findIndex((run) => run.id === id)
        listed[i] = { ...listed[i]!, name }
      },
    })
    listed.push(paused, other)
    saved.set('a', { dataset: zip })
    await training.start()
    await training.resume(paused)
    expect(training.live).toBeDefined()
    await training.show(other)
    await training.rename(paused, 'New')
    expect(training.listed.map(({ name }) => name)).toEqual(['New', 'other'])
    expect([training.live?.run?.name, training.opened?.run?.name]).toEqual(['New', 'other'])
  })

  test('that cannot be renamed or deleted stay as they are, with words', async () => {
    const refuse = async () => {
      throw named('TrainingError', 'train: this run is training in another tab or process.')
    }
    const { training, listed, saved } = stage({ renameRun: refuse, deleteRun: refuse })
    listed.push(old)
    saved.set('a', { dataset: zip })
    await training.start()
    await training.show(old)
    await training.rename(old, 'New')
    expect([training.opened?.run?.name, training.problem?.name]).toEqual(['mine', 'TrainingError'])
    training.problem = undefined
    await training.remove(old)
    expect([saved.size, training.opened?.run?.id, training.view]).toEqual([1, 'a', 'run'])
    expect(training.problem).toMatchObject({ title: 'This run is training in another tab or program.' })
  })

  test('are compared though one of them cannot be read', async () => {
    const { training } = stage({
      runLog: async (id) => {
        if (id === 'a') throw named('CheckpointError', 'log.jsonl: damaged')
        return [{ ...stepEvent(1), type: 'step' }]
      },
    })
    const views = await training.compare([old, { ...old, id: 'b' }])
    expect(views.map(({ problem, history }) => [problem?.detail, history.steps.length])).toEqual([
      ['log.jsonl: damaged', 0],
      [undefined, 1],
    ])
  })

  test('are renamed and deleted, with the data kept for them', async () => {
    const renameRun = vi.fn(async () => {})
    const deleteRun = vi.fn(async () => {})
    const { training, listed, saved } = stage({ renameRun, deleteRun })
    listed.push(old)
    saved.set('a', { dataset: zip })
    await training.start()
    await training.show(old)
    await training.rename(old, '  ')
    expect(renameRun).not.toHaveBeenCalled()
    await training.rename(old, ' New ')
    expect(renameRun).toHaveBeenCalledWith('a', 'New')
    expect(training.opened?.run?.name).toBe('New')
    const { arrivals } = training
    await training.remove(old)
    expect(deleteRun).toHaveBeenCalledWith('a')
    expect([saved.size, training.opened, training.view]).toEqual([0, undefined, 'runs'])
    expect(training.arrivals).toBe(arrivals + 1)
  })
})

describe('connectors', () => {
  test('one in use is told until the checkpoint’s own is back, or its model is gone', async () => {
    const useConnector = vi.fn(async (id: string | undefined) => ({
      name: id ? 'mine' : 'checkpoint',
      ...(id && { run: id }),
      parameters: 5,
    }))
    const { training, engine } = stage({ useConnector })
    expect(await training.use(run)).toBe(true)
    expect(training.connector?.name).toBe('mine')
    await training.use(undefined)
    expect(training.connector).toBeUndefined()
    await training.use(run)
    engine.model = { model: 'tiny' } as ModelInfo
    expect(training.connector).toBeUndefined()
  })

  test('one that does not fit leaves words and nothing changed', async () => {
    const { training } = stage({
      importConnector: async () => {
        throw named('CheckpointError', 'import: 2 tensors missing')
      },
    })
    expect(await training.import([])).toBe(false)
    // Told where the files were given.
    expect(training.importProblem).toMatchObject({
      name: 'CheckpointError',
      detail: 'import: 2 tensors missing',
    })
    expect([training.problem, training.connector]).toEqual([undefined, undefined])
  })
})
