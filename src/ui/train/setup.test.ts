import { beforeEach, describe, expect, test, vi } from 'vitest'
import { recipes } from '../../model/train/recipes'
import type { ModelInfo } from '../../worker/api'
import type {
  DatasetInfo,
  DatasetSource,
  KnownRecipe,
  Recipe,
  TrainingApi,
  TrainingPlan,
} from '../../worker/client'
import type { EngineState } from '../state/engine.svelte'
import { sourceOfFiles } from './dataset-source'
import { reasonToWait, TrainingSetup } from './setup.svelte'

const recipe: Recipe = { ...recipes['llava-1.5'].recipe, imageAspectRatio: 'model' }
const known: KnownRecipe = { title: 'LLaVA 1.5', recipe, sources: {} }
const other: KnownRecipe = { title: 'Other', recipe: { ...recipe, name: 'other' }, sources: {} }
const zip: DatasetSource = { kind: 'zip', file: new File(['12345'], 'set.zip') }
const pairs: DatasetSource = { kind: 'pairs', name: 'mine', pairs: [] }
const info = { name: 'set', rows: 203, usable: 200, heldOutRows: 0, skippedCount: 3 } as DatasetInfo
const named = (name: string, message = 'why') => Object.assign(new Error(message), { name })

/** An engine that a test drives: readings and plans wait until they are answered. */
function stage() {
  const readings: { resolve: (data: DatasetInfo) => void; reject: (error: Error) => void }[] = []
  const plans: typeof readings = []
  const client = {
    recipes: vi.fn(async () => [known, other]),
    openDataset: vi.fn(
      () => new Promise<DatasetInfo>((resolve, reject) => readings.push({ resolve, reject })),
    ),
    planTraining: vi.fn(
      () => new Promise<TrainingPlan>((resolve, reject) => plans.push({ resolve: resolve as never, reject })),
    ),
    controlTraining: vi.fn(async () => {}),
    cancelOpening: vi.fn(async () => readings.splice(0).forEach(({ reject }) => reject(named('AbortError')))),
  }
  const engine = {
    isReady: true,
    status: 'ready',
    model: { model: 'tiny' } as ModelInfo | undefined,
    call: async <T>(call: (client: TrainingApi) => Promise<T>) => call(client as unknown as TrainingApi),
  }
  const setup = new TrainingSetup(engine as unknown as EngineState)
  const read = async (source: DatasetSource, data = info) => {
    const opened = setup.open(source)
    await vi.waitFor(() => expect(readings.length).toBe(1))
    readings.pop()!.resolve(data)
    await opened
  }
  const plan = async (answer: Partial<TrainingPlan> | Error = { steps: 10 }) => {
    const updated = setup.updatePlan()
    await vi.waitFor(() => expect(plans.length).toBe(1))
    if (answer instanceof Error) plans.pop()!.reject(answer)
    else plans.pop()!.resolve(answer as never)
    await updated
  }
  return { setup, client, engine, readings, plans, read, plan }
}

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('document', { baseURI: 'https://x.example/' })
})

describe('reading data', () => {
  test('is cancelled without touching a run, and gives back what was there', async () => {
    const { setup, client, read } = stage()
    await setup.readRecipes()
    await read(zip)
    const opened = setup.open(pairs)
    expect([setup.isOpening, setup.data]).toEqual([true, undefined])
    await setup.cancelOpening()
    await opened
    expect(client.cancelOpening).toHaveBeenCalledTimes(1)
    expect(client.controlTraining).not.toHaveBeenCalled()
    expect([setup.isOpening, setup.data, setup.source, setup.dataProblem]).toEqual([
      false,
      info,
      zip,
      undefined,
    ])
  })

  test('is overtaken without touching a run', async () => {
    const { setup, client, readings } = stage()
    const first = setup.open(zip)
    const second = setup.open(pairs)
    await first
    readings[0]!.resolve({ ...info, name: 'mine' })
    await second
    expect(client.cancelOpening).toHaveBeenCalledTimes(1)
    expect(client.controlTraining).not.toHaveBeenCalled()
    expect([setup.data?.name, setup.source]).toEqual(['mine', pairs])
  })

  test('leaves what was there where other data is refused', async () => {
    const { setup, readings, read } = stage()
    await read(zip)
    const opened = setup.open(pairs)
    readings[0]!.reject(named('DatasetError', 'dataset: there are no pairs'))
    await opened
    expect(setup.dataProblem).toMatchObject({ name: 'DatasetError', detail: 'dataset: there are no pairs' })
    expect([setup.source, setup.data]).toEqual([zip, info])
    await setup.take(async () => ({ files: [] }))
    expect(setup.dataProblem).toMatchObject({ advice: expect.stringContaining('no files in it') })
    expect(setup.data).toBe(info)
  })

  test('waits for the list of files, which is dropped where it is cancelled', async () => {
    const { setup, client, readings } = stage()
    let tell = (_count: number) => {}
    let list = () => {}
    const taken = setup.take((onFound) => {
      tell = onFound
      return new Promise((resolve) => {
        list = () => resolve({ files: [{ path: 'a/b.json', file: new File(['[]'], 'b.json') }] })
      })
    })
    tell(500)
    expect([setup.isOpening, setup.filesFound]).toEqual([true, 500])
    await setup.cancelOpening()
    list()
    await taken
    expect([setup.isOpening, setup.source, readings.length]).toEqual([false, undefined, 0])
    expect(client.cancelOpening).not.toHaveBeenCalled()
  })

  test('sends the engine files without the place they are in', async () => {
    const { setup, client, readings } = stage()
    const source = sourceOfFiles([{ path: 'a/b.json', file: new File(['[]'], 'b.json') }], {
      name: 'a',
    } as never)
    const opened = setup.open(source)
    expect(Object.keys((client.openDataset.mock.calls as unknown[][])[0]![0] as object)).toEqual([
      'kind',
      'files',
    ])
    readings[0]!.resolve(info)
    await opened
    expect(setup.source).toBe(source)
  })
})

describe('rows to validate on', () => {
  test('are a tenth unless the visitor says otherwise', async () => {
    const { setup, read } = stage()
    await read(zip)
    expect(setup.texts.heldOut).toBe('20')
    await read(pairs, { ...info, usable: 60 })
    expect(setup.texts.heldOut).toBe('6')
    setup.texts.heldOut = '7'
    await read(zip, { ...info, heldOutRows: 50 })
    expect(setup.texts.heldOut).toBe('7')
  })

  test('leave one to train on, in a sentence at their field', async () => {
    const { setup, read } = stage()
    await setup.readRecipes()
    await read(zip, { ...info, usable: 3 })
    setup.texts.heldOut = '3'
    expect(setup.problems.heldOut).toContain('hold out 2 or fewer')
    expect(setup.request).toBeUndefined()
    setup.texts.heldOut = '2'
    expect(setup.problems.heldOut).toBeUndefined()
    expect(setup.request?.heldOut).toBe(2)
    await read(pairs, { ...info, usable: 1 })
    setup.texts.heldOut = '1'
    expect(setup.problems.heldOut).toContain('hold out 0')
    await read(zip, { ...info, usable: 3, heldOutRows: 2 })
    setup.texts.heldOut = '9'
    expect(setup.problems.heldOut).toBeUndefined()
  })
})

describe('a plan', () => {
  test('is asked for once, whatever the run is called and however often it is looked at', async () => {
    const { setup, client, read, plan } = stage()
    await setup.readRecipes()
    await read(zip)
    await plan()
    expect([setup.plan?.steps, setup.isPlanStale]).toEqual([10, false])
    await setup.updatePlan()
    setup.nameText = 'Mine'
    setup.texts.captions = '9'
    await setup.updatePlan()
    expect(client.planTraining).toHaveBeenCalledTimes(1)
  })

  test('of other settings is marked, until it is asked for anew', async () => {
    const { setup, client, read, plan } = stage()
    await setup.readRecipes()
    await read(zip)
    await plan()
    setup.form.texts.epochs = '2'
    expect([setup.plan?.steps, setup.isPlanStale]).toEqual([10, true])
    await plan({ steps: 20 })
    expect([setup.plan?.steps, setup.isPlanStale]).toEqual([20, false])
    setup.form.texts.epochs = 'two'
    expect([setup.plan?.steps, setup.isPlanStale]).toEqual([20, true])
    await setup.updatePlan()
    expect(client.planTraining).toHaveBeenCalledTimes(2)
  })

  test('of other data or another model is none', async () => {
    const { setup, read, plan, readings } = stage()
    await setup.readRecipes()
    await read(zip)
    await plan()
    const opened = setup.open(pairs)
    expect(setup.plan).toBeUndefined()
    readings[0]!.reject(named('DatasetError'))
    await opened
    expect([setup.plan?.steps, setup.isPlanStale]).toEqual([10, false])
    setup.forgetData()
    expect(setup.plan).toBeUndefined()
  })

  test('that cannot be is a problem of these settings, which may be tried again', async () => {
    const { setup, client, read, plan, plans } = stage()
    await setup.readRecipes()
    await read(zip)
    await plan(named('OutOfMemoryError', 'refused'))
    expect(setup.planProblem?.name).toBe('OutOfMemoryError')
    await setup.updatePlan()
    expect(client.planTraining).toHaveBeenCalledTimes(1)
    const again = setup.planAgain()
    expect(setup.planProblem).toBeUndefined()
    plans[0]!.resolve({ steps: 3 } as never)
    await again
    expect([setup.plan?.steps, setup.planProblem]).toEqual([3, undefined])
  })

  test('that was cancelled says nothing, and is asked for again', async () => {
    const { setup, client, read, plan } = stage()
    await setup.readRecipes()
    await read(zip)
    await plan(named('AbortError'))
    expect([setup.plan, setup.planProblem]).toEqual([undefined, undefined])
    await plan()
    expect(client.planTraining).toHaveBeenCalledTimes(2)
    expect(setup.plan?.steps).toBe(10)
  })
})

describe('the sample set', () => {
  async function withSamples() {
    const staged = stage()
    await staged.setup.readRecipes()
    staged.setup.form.texts.epochs = '7'
    const opened = staged.setup.openSamples()
    await vi.waitFor(() => expect(staged.readings.length).toBe(1))
    staged.readings.pop()!.resolve({ ...info, name: 'Sample set' })
    await opened
    return staged
  }

  test('brings settings of its own, which are no changes; what was edited stays', async () => {
    const { setup } = await withSamples()
    expect(setup.form.recipe).toMatchObject({ batchSize: 8, accumulate: 1, captionEnd: 'eos', epochs: 7 })
    expect(setup.form.suggested).toEqual(['captionEnd', 'batchSize', 'accumulate'])
    expect(setup.form.changed).toEqual(['epochs'])
    setup.form.reset('epochs')
    expect([setup.form.recipe?.epochs, setup.form.changedCount]).toEqual([3, 0])
    expect(setup.request?.name).toBe('Sample set, llava-1.5')
  })

  test('keeps them under another recipe, and leaves with them', async () => {
    const { setup, read } = await withSamples()
    setup.form.choose(other)
    expect(setup.form.recipe).toMatchObject({ name: 'other', batchSize: 8, accumulate: 1, epochs: 3 })
    setup.form.texts.batchSize = '2'
    await read(zip)
    expect(setup.form.recipe).toMatchObject({ batchSize: 2, accumulate: 4, epochs: 1, captionEnd: 'newline' })
    expect(setup.form.changed).toEqual(['batchSize'])
  })
})

describe('a start from the connector in use', () => {
  test('is a problem once none is in use', async () => {
    const { setup, read } = stage()
    await setup.readRecipes()
    await read(zip)
    setup.form.inUse = 'Mine'
    setup.form.texts.start = 'in-use'
    expect(setup.request?.recipe.start).toBe('in-use')
    setup.form.inUse = undefined
    expect(setup.form.problems.start).toContain('Choose another start')
    expect(setup.request).toBeUndefined()
  })
})

test('a run starts once nothing is missing', async () => {
  const { setup, read, plan } = stage()
  const reason = (status: EngineState['status'] = 'ready', isBusy = false, model?: EngineState['model']) =>
    reasonToWait(setup, { status, isReady: status === 'ready', model }, isBusy)
  await setup.readRecipes()
  expect(reason()).toBe('Choose data first.')
  void setup.open(pairs)
  expect(reason()).toBe('The data is being read.')
  await setup.cancelOpening()
  await read(pairs, { ...info, usable: 0 })
  expect(reason()).toBe('None of the rows can be used.')
  await read(zip)
  expect(reason()).toBe('')
  expect(reason('idle')).toBe('Load a model first.')
  const remote = { server: 'gpu.example' } as EngineState['model']
  expect(reason('ready', false, remote)).toBe('Load a model on this device first.')
  expect(reason('loading')).toContain('being loaded')
  expect(reason('answering')).toContain('answer')
  expect(reason('ready', true)).toContain('Another run')
  await plan(named('TemplateError'))
  expect(reason()).toBe('It cannot be trained so: the plan says why.')
  // Other settings may do.
  setup.form.texts.template = 'model'
  expect(reason()).toBe('')
  setup.form.texts.epochs = '0'
  expect(reason()).toBe('Some settings cannot stay as they are.')
})

test('the browser is asked once to keep what runs leave', async () => {
  const persist = vi.fn(async () => false)
  vi.stubGlobal('navigator', { storage: { persisted: async () => false, persist } })
  const { setup } = stage()
  await setup.keepStorage()
  await setup.keepStorage()
  expect([setup.isStorageKept, persist.mock.calls.length]).toEqual([false, 1])
})
