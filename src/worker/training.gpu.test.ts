import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { DiskSource } from '../cli/disk-source'
import '../kernels/testing/setup'
import { Encoder } from '../kernels'
import { openDataset } from '../model/train/dataset'
import type { Dataset, Recipe } from '../model/train/definition'
import { MemoryRuns } from '../model/train/run-store'
import { Stage1 } from '../model/train/stage1'
import { GOLDEN_RECIPE } from '../model/train/testing/golden'
import { Runs } from '../model/train/run-state'
import { weightsOf, type NewRun } from '../model/train/training-run'
import { OriginalCase } from '../model/testing/original'
import { HfTrainingCase } from '../model/testing/training-case'
import type { ByteStore } from '../model/checkpoint/byte-store'
import { MemoryStore } from '../model/testing/memory-store'
import type { WeightDtype } from './api'
import type { Engine } from './engine'
import { sharedEngine } from './testing/engines'
import type { StepRecord, TrainingEvent } from './training-api'

const golden = new HfTrainingCase('train-clip-llama')

/** The golden pairs, with more rows where a test wants some that are of no use. */
const pairs = (extra: Record<string, unknown>[] = [], files: [string, Uint8Array<ArrayBuffer>][] = []) => {
  const rows = [...(JSON.parse(readFileSync(golden.dataFile, 'utf8')) as object[]), ...extra]
  const images = golden.facts.samples.map(({ image }) => [image, golden.imageBytes(image)] as const)
  return openDataset({
    kind: 'files',
    files: [
      { path: 'data.json', file: new File([JSON.stringify(rows)], 'data.json') },
      ...[...images, ...files].map(([path, bytes]) => ({ path, file: new File([bytes], path) })),
    ],
  })
}

const request = (changes: Partial<NewRun> = {}, recipe: Partial<Recipe> = {}): NewRun => ({
  recipe: { ...GOLDEN_RECIPE, batchSize: 2, accumulate: 1, steps: 8, ...recipe },
  name: 'test',
  heldOut: 1,
  evaluateEvery: 0,
  captions: 1,
  checkpointEvery: 3,
  ...changes,
})

/** Listens, and can act on what it hears. */
function listener(act: (event: TrainingEvent) => void = () => {}) {
  const events: TrainingEvent[] = []
  const of = <T extends TrainingEvent['type']>(type: T) =>
    events.filter((event): event is Extract<TrainingEvent, { type: T }> => event.type === type)
  const hear = (event: TrainingEvent) => {
    events.push(event)
    act(event)
  }
  return {
    events,
    of,
    hear,
    losses: () => of('step').map(({ step, loss, gradNorm }) => [step, loss, gradNorm]),
  }
}

async function loaded(
  runs: MemoryRuns,
  dtype: WeightDtype = 'f32',
  store?: ByteStore,
  memoryBytes?: number,
): Promise<Engine> {
  const engine = sharedEngine({
    runs: async () => runs,
    ...(store && { featureStore: async () => store }),
  })
  await engine.loadFrom(golden.checkpoint, { dtype, ...(memoryBytes && { memoryBytes }) }, () => {})
  return engine
}

const conversations = [
  { from: 'human', value: '<image>' },
  { from: 'gpt', value: 'Something.' },
]

/** How runs behave does not depend on the adapter, and takes minutes on the slower one. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

describe.skipIf(isSlow)('training runs', () => {
  let runs: MemoryRuns
  let engine: Engine
  beforeEach(async () => {
    runs = new MemoryRuns()
    engine = await loaded(runs)
  })
  afterEach(() => engine.unload())

  test('a run that dies goes on from its last checkpoint to the same numbers', async () => {
    const whole = listener()
    await engine.training.trainOn(await pairs(), request({ evaluateEvery: 4 }), whole.hear)
    expect(whole.losses().length).toBe(8)

    // The tab dies in step 6; the last checkpoint is that of step 3.
    const other = new MemoryRuns()
    const dying = await loaded(other)
    const before = listener((event) => {
      if (event.type === 'step' && event.step === 5) void dying.unload()
    })
    const dead = await dying.training.trainOn(await pairs(), request({ evaluateEvery: 4 }), before.hear)
    expect(before.losses()).toEqual(whole.losses().slice(0, 5))

    const reborn = await loaded(other)
    const [listed] = await reborn.training.runs()
    expect(listed).toMatchObject({ id: dead.id, state: 'paused', checkpointStep: 3 })
    const after = listener()
    const done = await reborn.training.resumeOn(dead.id, await pairs(), after.hear)
    expect(done).toMatchObject({ state: 'done', step: 8 })
    expect(after.losses()).toEqual(whole.losses().slice(3))
    expect(after.of('evaluation')).toEqual(whole.of('evaluation').filter(({ step }) => step > 3))
    const log = await reborn.training.runLog(dead.id)
    expect(log.filter(({ type }) => type === 'step').map(({ step }) => step)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8,
    ])
    await reborn.unload()
  })

  test('pauses, runs a single step, goes on and stops', async () => {
    const heard = listener((event) => {
      if (event.type === 'step' && event.step === 2) void engine.training.controlTraining('pause')
    })
    const paused = await engine.training.trainOn(await pairs(), request(), heard.hear)
    expect(paused).toMatchObject({ state: 'paused', step: 2, checkpointStep: 2 })
    await engine.training.controlTraining('step')
    expect(heard.losses().length).toBe(3)
    expect(await engine.training.runs()).toMatchObject([{ state: 'paused', step: 3, checkpointStep: 3 }])
    await engine.training.controlTraining('stop')
    expect(await engine.training.runs()).toMatchObject([{ state: 'stopped', step: 3 }])
    const rest = listener()
    const done = await engine.training.resumeOn(paused.id, await pairs(), rest.hear)
    expect(done.state).toBe('done')
    const whole = listener()
    await engine.training.trainOn(await pairs(), request(), whole.hear)
    expect([...heard.losses(), ...rest.losses()]).toEqual(whole.losses())
  })

  test('reading other data can be cancelled while a run is paused, which goes on', async () => {
    const heard = listener((event) => {
      if (event.type === 'step' && event.step === 1) void engine.training.controlTraining('pause')
    })
    await engine.training.trainOn(await pairs(), request({}, { steps: 3 }), heard.hear)
    const rows = `${JSON.stringify({ id: 'x', image: 'x.png', conversations })}\n`.repeat(100_000)
    const file = new File([rows], 'rows.jsonl')
    const source = { kind: 'files' as const, files: [{ path: file.name, file }] }
    const opening = engine.training.openDataset(source, () => {})
    await engine.training.cancelOpening()
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' })
    await engine.training.controlTraining('step')
    expect(heard.losses().length).toBe(2)
    expect(await engine.training.runs()).toMatchObject([{ state: 'paused', step: 2 }])
  })

  test('a run begins with the connector in use where its recipe says so, and tells which', async () => {
    const inUse = request({ name: 'second' }, { start: 'in-use', steps: 2 })
    await expect(engine.training.trainOn(await pairs(), inUse, () => {})).rejects.toThrow(
      /import a connector first/,
    )
    const first = listener()
    const changed = request({}, { start: 'fresh', learningRate: 5e-2, steps: 4 })
    const { id } = await engine.training.trainOn(await pairs(), changed, first.hear)
    await engine.training.useConnector(id)
    const own = listener()
    await engine.training.trainOn(await pairs(), request({}, { start: 'checkpoint', steps: 2 }), own.hear)
    const second = listener()
    const begun = await engine.training.trainOn(await pairs(), inUse, second.hear)
    expect(begun).toMatchObject({ startedFrom: 'test', recipe: { start: 'in-use' } })
    expect((await engine.training.runs()).filter(({ startedFrom }) => startedFrom)).toHaveLength(1)
    expect(second.losses()[0]).not.toEqual(own.losses()[0])
    await engine.training.useConnector(undefined)
    const again = listener()
    await engine.training.trainOn(await pairs(), request({}, { start: 'checkpoint', steps: 2 }), again.hear)
    expect(again.losses()).toEqual(own.losses())
  })

  test('questions are answered between steps, and do not change the numbers', async () => {
    const whole = listener()
    await engine.training.trainOn(await pairs(), request(), whole.hear)
    const asked: Promise<{ text: string }>[] = []
    const heard = listener((event) => {
      if (event.type !== 'step' || event.step % 3 !== 0) return
      const messages = [{ role: 'user' as const, text: 'What is it?' }]
      const sampling = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 }
      asked.push(engine.ask({ messages, sampling, maxNewTokens: 4 }, () => {}))
    })
    await engine.training.trainOn(await pairs(), request(), heard.hear)
    const replies = await Promise.all(asked)
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1)
    expect(replies.length).toBe(2)
    expect(heard.losses()).toEqual(whole.losses())
  })

  test('rows of no use are left out with a reason, and training goes on', async () => {
    const dataset = await pairs(
      [
        { id: 'gone', image: 'gone.png', conversations },
        { id: 'text', image: 'text.png', conversations },
      ],
      [['text.png', new TextEncoder().encode('no picture at all')]],
    )
    const heard = listener()
    // Every row once, so that the broken picture comes by.
    const done = await engine.training.trainOn(
      dataset,
      request({ heldOut: 0 }, { steps: null, epochs: 1 }),
      heard.hear,
    )
    expect(done).toMatchObject({ state: 'done', dataset: { rows: 8, skipped: 2 } })
    const [skipped] = heard.of('skipped')
    expect(skipped).toMatchObject({ count: 2, row: { row: 7, id: 'text', image: 'text.png' } })
    expect(skipped!.row.reason).toMatch(/picture|image/i)
    expect(heard.of('step').reduce((sum, { samples }) => sum + samples, 0)).toBe(6)
  })

  test('a picture of several rows is seen once', async () => {
    const dataset = await pairs([{ id: 'again', image: 'image-0.png', conversations }])
    const heard = listener()
    const recipe = { batchSize: 7, steps: 2 }
    await engine.training.trainOn(dataset, request({ heldOut: 0 }, recipe), heard.hear)
    expect(
      heard
        .of('features')
        .map(({ cached }) => cached)
        .filter((cached) => !cached).length,
    ).toBe(6)
    expect(heard.of('step')[0]!.samples).toBe(7)
  })

  describe('a picture that is none', () => {
    const broken = { id: 'text', image: 'text.png', conversations }
    const files: [string, Uint8Array<ArrayBuffer>][] = [['text.png', new TextEncoder().encode('no picture')]]

    test('that is a step of its own leaves everything as it was, and the run goes on', async () => {
      // The seed puts it in the middle of the epoch.
      const dataset = await pairs([broken], files)
      const recipe = { batchSize: 1, accumulate: 1, steps: null, epochs: 1 }
      const heard = listener()
      const done = await engine.training.trainOn(dataset, request({ heldOut: 0 }, recipe), heard.hear)
      expect(done).toMatchObject({ state: 'done', step: 7 })
      expect(Number.isFinite(done.loss)).toBe(true)
      const steps = heard.of('step')
      const empty = steps.filter(({ skipped }) => skipped)
      expect(empty).toMatchObject([{ samples: 0, tokens: 0, loss: NaN }])
      expect(empty[0]!.step).toBeLessThan(7)
      expect(steps.reduce((sum, { samples }) => sum + samples, 0)).toBe(6)
      expect((await new Runs(runs).readCheckpoint(done.id)).updates).toBe(6)
    })

    test('throughout an epoch ends the run with what to do', async () => {
      const dataset = await openDataset({
        kind: 'files',
        files: [
          { path: 'data.json', file: new File([JSON.stringify([broken, broken])], 'data.json') },
          { path: 'text.png', file: new File([files[0]![1]], 'text.png') },
        ],
      })
      const recipe = { batchSize: 1, steps: null, epochs: 5 }
      const run = engine.training.trainOn(dataset, request({ heldOut: 0 }, recipe), () => {})
      await expect(run).rejects.toThrow(/not one row of 2 steps can be used.*mend the data/)
    })
  })

  test('of two runs that are started at once one is refused, and can be started later', async () => {
    const first = engine.training.trainOn(await pairs(), request({}, { steps: 2 }), () => {})
    const second = engine.training.trainOn(await pairs(), request({ name: 'second' }, { steps: 2 }), () => {})
    await expect(second).rejects.toThrow(/another run is training/)
    expect((await first).state).toBe('done')
    expect((await engine.training.trainOn(await pairs(), request({}, { steps: 2 }), () => {})).state).toBe(
      'done',
    )
    expect((await engine.training.runs()).length).toBe(2)
  })

  test('towers see each picture once, whatever the number of epochs and visits', async () => {
    const store = new MemoryStore()
    const first = await loaded(new MemoryRuns(), 'f32', store)
    const heard = listener()
    await first.training.trainOn(
      await pairs(),
      request({ heldOut: 0 }, { steps: null, epochs: 3 }),
      heard.hear,
    )
    const fresh = heard.of('features').filter(({ cached }) => !cached)
    expect(fresh.length).toBe(6)
    await first.unload()
    const second = await loaded(new MemoryRuns(), 'f32', store)
    const again = listener()
    await second.training.trainOn(
      await pairs(),
      request({ heldOut: 0 }, { steps: null, epochs: 3 }),
      again.hear,
    )
    expect(again.of('features').every(({ cached }) => cached)).toBe(true)
    expect(again.losses()).toEqual(heard.losses())
    await second.unload()
  })

  test('other data, another precision and another model are refused when a run goes on', async () => {
    const heard = listener((event) => {
      if (event.type === 'step' && event.step === 1) void engine.training.controlTraining('stop')
    })
    const { id } = await engine.training.trainOn(await pairs(), request(), heard.hear)
    const conversations = [{ from: 'gpt', value: 'More.' }]
    const otherData = await pairs([{ id: 'x', image: 'image-0.png', conversations }])
    await expect(engine.training.resumeOn(id, otherData, heard.hear)).rejects.toThrow(/same data/)
    const f16 = await loaded(runs, 'f16')
    await expect(f16.training.resumeOn(id, await pairs(), heard.hear)).rejects.toThrow(/precision was f32/)
    await f16.unload()

    const folder = join(mkdtempSync(join(tmpdir(), 'trilobite-model-')), golden.checkpoint.name)
    cpSync(join(golden.folder, 'checkpoint'), folder, { recursive: true })
    const shard = join(folder, 'model-00001-of-00002.safetensors')
    const bytes = readFileSync(shard)
    bytes[bytes.length - 1]! ^= 0x80
    writeFileSync(shard, bytes)
    const other = sharedEngine({ runs: async () => runs })
    await other.loadFrom(new DiskSource(folder), { dtype: 'f32' }, () => {})
    await expect(other.training.resumeOn(id, await pairs(), heard.hear)).rejects.toThrow(
      /weights of checkpoint/,
    )
    await other.unload()
    rmSync(dirname(folder), { recursive: true })
  })

  test('numbers that are not finite change nothing, and end the run with advice', async () => {
    const heard = listener((event) => {
      if (event.type !== 'step' || event.step !== 2) return
      const norm = engine.loaded!.vlm.weights.vector('language.model.norm.weight')
      norm.shape.forEach((width) =>
        engine.loaded!.vlm.gpu.device.queue.writeBuffer(norm.buffer, 0, new Float32Array(width).fill(NaN)),
      )
    })
    const run = engine.training.trainOn(
      await pairs(),
      request({ checkpointEvery: 1 }, { steps: 20 }),
      heard.hear,
    )
    await expect(run).rejects.toThrow(/new run with a lower learning rate/)
    expect(heard.of('step').map(({ skipped = false }) => skipped)).toEqual([
      ...[false, false],
      ...[true, true, true, true],
    ])
    const [info] = await engine.training.runs()
    expect(info).toMatchObject({ state: 'failed', checkpointStep: 6 })
    expect(info!.problem).toMatch(/not finite/)
    const checkpoints = await new Runs(runs).readCheckpoint(info!.id)
    expect(checkpoints.updates).toBe(2)
    for (const [name, values] of weightsOf(checkpoints))
      expect(values.every(Number.isFinite), name).toBe(true)
  })

  test('a connector is chatted with, exported and imported again', async () => {
    const heard = listener()
    const { id } = await engine.training.trainOn(
      await pairs(),
      request({}, { learningRate: 5e-2, start: 'fresh' }),
      heard.hear,
    )
    const ask = async () => {
      const bytes = golden.imageBytes('image-0.png')
      const reply = await engine.ask(
        {
          messages: [],
          raw: { prompt: '<image>', images: [{ id: 'one', blob: new Blob([bytes]) }] },
          sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 },
          maxNewTokens: 12,
        },
        () => {},
      )
      return reply.tokenIds
    }
    const own = await ask()
    expect(await engine.training.useConnector(id)).toMatchObject({ name: 'test', run: id })
    const trained = await ask()
    expect(trained).not.toEqual(own)
    await engine.training.useConnector(undefined)
    expect(await ask()).toEqual(own)
    for (const layout of await engine.training.connectorLayouts()) {
      const files = await engine.training.exportRun(id, layout)
      expect(files.map(({ path }) => path)).toContain('README.md')
      const picked = files.map(({ path, bytes }) => ({ path, file: new File([bytes], path) }))
      await engine.training.importConnector(picked)
      expect(await ask(), layout).toEqual(trained)
      await engine.training.useConnector(undefined)
    }
    expect(engine.loaded!.vlm.gpu.lostError).toBeUndefined()
  })

  test('plans memory and time without changing anything', async () => {
    const dataset = await pairs()
    const before = (await engine.gpuMemory()).allocatedBytes
    const plan = await engine.training.planFrom(dataset, request({}, { samplerLearningRate: 1e-4 }))
    expect(plan).toMatchObject({ steps: 8, stepsPerEpoch: 3, warmupSteps: 1, fits: true })
    expect(plan.learningRates.length).toBe(8)
    expect(plan.learningRates[0]).toEqual({ step: 1, lr: 0 })
    expect(plan.secondsPerStep).toBeGreaterThan(0)
    expect(plan.secondsTotal).toBeGreaterThan(plan.secondsPerStep! * 7)
    expect(plan.gpuBytes.optimizer).toBe(plan.trainedParameters * 16)
    expect((await engine.gpuMemory()).allocatedBytes).toBeLessThanOrEqual(before + 2 ** 20)
    const small = await loaded(new MemoryRuns(), 'f32', undefined, 64e6)
    const rows = Array.from({ length: 4096 }, () => ({ id: 'x', image: 'image-0.png', conversations }))
    const huge = await small.training.planFrom(await pairs(rows), request({}, { batchSize: 4096 }))
    expect(huge.fits).toBe(false)
    expect(huge.advice).toMatch(/batch size/)
    expect(huge.secondsPerStep).toBeUndefined()
    await small.unload()
  })
})

// Gradients are compared with PyTorch's on both adapters, and Chromium runs this check on SwiftShader.
describe.skipIf(isSlow)('the gradient check', () => {
  const expectPassed = async (engine: Engine, parameters: number) => {
    const report = await engine.training.checkGradients({ directions: 2, seed: 3 }, () => {})
    expect(report.checks.filter(({ passed, resolved }) => !passed || !resolved)).toEqual([])
    expect(report.passed).toBe(true)
    expect(report.checks.length).toBe(2 + parameters)
    await engine.unload()
  }

  test('passes on f32 weights', async () => {
    await expectPassed(await loaded(new MemoryRuns(), 'f32'), 4)
  })

  test.each(['f16', 'q8', 'q4'] as const)('passes on %s weights', async (dtype) => {
    await expectPassed(await loaded(new MemoryRuns(), dtype), 4)
  })

  test('rounds no activations to save time, whatever the device is tuned to', async () => {
    const engine = await loaded(new MemoryRuns(), 'q8')
    const isExact = new Map<string, Set<boolean>>()
    const { dispatch } = Encoder.prototype
    const spy = vi.spyOn(Encoder.prototype, 'dispatch').mockImplementation(function (
      this: Encoder,
      ...args: Parameters<typeof dispatch>
    ) {
      isExact.set(this.label, (isExact.get(this.label) ?? new Set()).add(this.isExact))
      dispatch.apply(this, args)
    })
    await engine.training.checkGradients({ directions: 1, seed: 3 }, () => {})
    spy.mockRestore()
    expect(isExact.get('tower features')).toEqual(new Set([true]))
    expect(isExact.get('micro-batch')).toEqual(new Set([true]))
    await engine.unload()
  })

  test('passes on a linear connector', async () => {
    const original = new OriginalCase('llava-v1-linear')
    const engine = sharedEngine()
    const others = { base: original.base, resolve: original.resolve }
    await engine.loadFrom(original.checkpoint, { dtype: 'f32' }, () => {}, others)
    await expectPassed(engine, 2)
  })

  test('fails on a gradient that is wrong', async () => {
    const engine = await loaded(new MemoryRuns(), 'f32')
    const gradients = vi.spyOn(Stage1.prototype, 'gradients').mockImplementation(async function (
      this: Stage1,
      samples,
    ) {
      gradients.mockRestore()
      const loss = await this.gradients(samples)
      // One layer's gradient is lost.
      const { gpu } = engine.loaded!.vlm
      const { buffer, shape } = this.trained.gradient('linear_1.weight')
      gpu.device.queue.writeBuffer(buffer, 0, new Float32Array(shape.reduce((a, b) => a * b)))
      return loss
    })
    const report = await engine.training.checkGradients({ directions: 2, seed: 3 }, () => {})
    expect(report.passed).toBe(false)
    expect(report.checks.filter(({ passed }) => !passed).map(({ name }) => name)).toContain('linear_1.weight')
    await engine.unload()
  })

  test('does not call a gradient right that the losses cannot show', async () => {
    const engine = await loaded(new MemoryRuns(), 'f32')
    const { gpu } = engine.loaded!.vlm
    const gradients = vi.spyOn(Stage1.prototype, 'gradients').mockImplementation(async function (
      this: Stage1,
    ) {
      // All are 1 but for a layer's, whose are 0, and so is every difference of the loss.
      for (const name of Object.keys(this.trained.specs)) {
        const { buffer, shape } = this.trained.gradient(name)
        const values = new Float32Array(shape.reduce((a, b) => a * b)).fill(name === 'linear_1.bias' ? 0 : 1)
        gpu.device.queue.writeBuffer(buffer, 0, values)
      }
      return 3
    })
    const loss = vi.spyOn(Stage1.prototype, 'loss').mockResolvedValue(3)
    const report = await engine.training.checkGradients({ directions: 1, seed: 3 }, () => {})
    gradients.mockRestore()
    loss.mockRestore()
    expect(report.checks.filter(({ passed }) => passed)).toMatchObject([
      { name: 'linear_1.bias', analytic: 0, numeric: 0, resolved: false },
    ])
    await engine.unload()
  })
})

describe.skipIf(isSlow)('frozen weights of fewer bits', () => {
  let want: number[]
  let dataset: Dataset
  const run = async (dtype: WeightDtype) => {
    const engine = await loaded(new MemoryRuns(), dtype)
    const heard = listener()
    await engine.training.trainOn(dataset, request({ heldOut: 0 }, { steps: 20, accumulate: 2 }), heard.hear)
    await engine.unload()
    return heard.of('step').map(({ loss }: StepRecord) => loss)
  }
  beforeAll(async () => {
    dataset = await pairs()
    want = await run('f32')
  })
  // Largest difference of a step's loss in nats, as measured on both adapters with room of a half.
  test.each([
    ['f16', 0.001],
    ['q8', 0.02],
  ] as const)('%s follow the f32 curve', async (dtype, bound) => {
    const got = await run(dtype)
    const worst = Math.max(...got.map((loss, i) => Math.abs(loss - want[i]!)))
    // Weights that stayed in f32 would follow it exactly.
    expect(worst).toBeGreaterThan(0)
    expect(worst).toBeLessThan(bound)
  })
})
