import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { ModelInfo } from '../../worker/api'
import type {
  DatasetInfo,
  DatasetSource,
  KnownRecipe,
  Recipe,
  RunInfo,
  TrainingApi,
  TrainingEvent,
  TrainingPlan,
} from '../../worker/client'
import type { RunData } from '../train/run-data'
import type { EngineState } from './engine.svelte'
import { Training } from './training.svelte'

const recipe: Recipe = {
  name: 'llava-1.5',
  template: 'plain',
  captionEnd: 'newline',
  start: 'fresh',
  learningRate: 1e-3,
  samplerLearningRate: null,
  imageAspectRatio: 'model',
  schedule: 'cosine',
  warmupRatio: 0.03,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 1,
  batchSize: 4,
  accumulate: 4,
  epochs: 1,
  steps: null,
  maxTokens: 2048,
  seed: 42,
}
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
    expect(client.controlTraining).toHaveBeenCalledWith('stop')
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

  test('another model has the run paused behind a checkpoint first', async () => {
    const play = driven()
    const { training, client } = await prepared({
      ...play.api,
      controlTraining: vi.fn(async () => play.end({ ...run, state: 'paused', step: 3 })),
    })
    void training.train()
    play.tell({ type: 'run', run })
    await training.letGo()
    expect(client.controlTraining).toHaveBeenCalledWith('pause')
    expect([training.isTraining, training.live]).toEqual([false, undefined])
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
    await training.remove(old)
    expect(deleteRun).toHaveBeenCalledWith('a')
    expect([saved.size, training.opened, training.view]).toEqual([0, undefined, 'runs'])
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
    expect(training.problem).toMatchObject({ name: 'CheckpointError', detail: 'import: 2 tensors missing' })
    expect(training.connector).toBeUndefined()
  })
})

test('a gradient check tells how far it is and what came of it', async () => {
  const report = { passed: true, checks: [] } as never
  const seen: unknown[] = []
  const { training } = stage({
    checkGradients: async (_options, onProgress) => {
      onProgress(3, 9)
      seen.push(training.checked)
      return report
    },
  })
  await training.checkGradients({ directions: 3, seed: 0 })
  expect(seen).toEqual([{ done: 3, total: 9 }])
  expect([training.report, training.checked]).toEqual([report, undefined])
})
