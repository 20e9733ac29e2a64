import { recipes } from '../../src/model/train/recipes'
import type {
  CaptionRecord,
  DatasetInfo,
  DatasetSource,
  KnownRecipe,
  LogRecord,
  Recipe,
  RunInfo,
  TrainingApi,
  TrainingEvent,
  TrainingRequest,
} from '../../src/worker/client'

/** What training of the fake engine plays, chosen as its other modes are. */
export type FakeTrainingMode =
  /** the data is refused. */
  | 'data-refused'
  /** the plan does not fit. */
  | 'train-tight'
  /** the tenth step fails so. */
  | 'train-oom'
  /** there are runs from earlier visits: finished, cut short, failed, damaged, and one that another tab trains. */
  | 'old-runs'
  /** a run, or a gradient check, does not begin before it is stopped. */
  | 'slow-start'
  /** a step takes a second. */
  | 'slow-steps'
  /** steps take a fiftieth of their time, and there are ten thousand of them. */
  | 'many-steps'

const named = (name: string, message: string) => Object.assign(new Error(message), { name })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const LLAVA: Recipe = {
  ...recipes['llava-1.5'].recipe,
  imageAspectRatio: 'model',
  batchSize: 8,
  accumulate: 1,
  epochs: 2,
  maxTokens: 512,
}

const RECIPES: KnownRecipe[] = [
  {
    title: 'LLaVA 1.5',
    recipe: LLAVA,
    sources: { learningRate: 'scripts/v1_5/pretrain.sh, --learning_rate', template: '--version plain' },
  },
  {
    title: 'Cambrian-1',
    recipe: { ...LLAVA, name: 'cambrian-1', template: 'model', samplerLearningRate: 1e-4, warmupRatio: 0.06 },
    sources: { samplerLearningRate: 'scripts/cambrian/pretrain_cambrian_8b.sh, --mm_vision_sampler_lr' },
  },
]

const CAPTIONS = [
  'a photo of a thing',
  'a red shape on a background',
  'a large red circle on a grey background',
  'a small blue star at the left of a large red circle',
]

const rate = (recipe: Recipe, step: number, steps: number, peak: number) => {
  const warmup = Math.ceil(recipe.warmupRatio * steps)
  if (step <= warmup) return (peak * step) / Math.max(1, warmup)
  if (recipe.schedule === 'constant') return peak
  const share = (step - warmup) / Math.max(1, steps - warmup)
  return peak * (recipe.schedule === 'linear' ? 1 - share : 0.5 * (1 + Math.cos(Math.PI * share)))
}
/** How often a run that goes on validates and writes checkpoints. */
const KNOWN = { evaluateEvery: 25, checkpointEvery: 25 }
const noise = (step: number) => Math.sin(step * 12.9898) * 0.5 + Math.sin(step * 78.233) * 0.5
const lossAt = (step: number, offset = 0) => 0.9 + offset + 3.2 * Math.exp(-step / 40) + 0.18 * noise(step)

const captionAt = (step: number, row: number, image = `images/${row}.png`): CaptionRecord => ({
  step,
  row,
  image,
  truth: 'a small blue star at the left of a large red circle',
  caption: CAPTIONS[Math.min(CAPTIONS.length - 1, Math.floor(step / 15))]!,
})

interface Entry {
  info: RunInfo
  log: LogRecord[]
  /** Pictures that are described; others than these are not at hand. */
  images?: string[]
}

/** Training without a GPU, as lively as the page must bear. */
export function fakeTraining(modes: ReadonlySet<string>): TrainingApi {
  const runs = new Map<string, Entry>()
  let control: 'run' | 'pause' | 'stop' = 'run'
  /** The run that is paused in memory, with where it tells what it does. */
  let live: string | undefined
  let tell: (e: TrainingEvent) => void = () => {}
  // Read through a call, so that the compiler does not take it for unchanged across an await.
  const asked = () => control
  if (modes.has('old-runs')) addOldRuns(runs)
  let opening = new AbortController()
  let listings = 0

  /** Prepares what was asked for until that is cancelled. */
  const untilCancelled = ({ signal }: AbortController) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(named('AbortError', 'train: cancelled'))),
    )

  async function picture(index: number): Promise<Blob> {
    const canvas = new OffscreenCanvas(64, 64)
    const context = canvas.getContext('2d')!
    context.fillStyle = `hsl(${index * 47} 50% 70%)`
    context.fillRect(0, 0, 64, 64)
    context.fillStyle = `hsl(${index * 91 + 180} 70% 45%)`
    context.beginPath()
    context.arc(20 + ((index * 7) % 24), 32, 14, 0, 7)
    context.fill()
    return canvas.convertToBlob()
  }

  async function describe(source: DatasetSource): Promise<DatasetInfo> {
    const preview = await Promise.all(
      Array.from({ length: 8 }, async (_, row) => ({
        row,
        image: row === 5 ? undefined : await picture(row),
        caption: `a small blue star at the left of a large red circle, number ${row}`,
      })),
    )
    const name = source.kind === 'zip' ? source.file.name : source.kind === 'files' ? 'files' : source.name
    return {
      name,
      fingerprint: 'fake',
      rows: 203,
      usable: 200,
      textOnlyRows: 0,
      heldOutRows: source.kind === 'zip-url' ? 50 : 0,
      skipped: [
        { row: 3, id: '000003', image: 'images/gone.png', reason: 'images/gone.png is not there' },
        { row: 17, id: '000017', image: 'images/17.png', reason: 'its conversation has no answer' },
        { row: 88, id: '000088', image: undefined, reason: 'expected JSON, its line ends early' },
      ],
      skippedCount: 3,
      preview,
    }
  }

  async function play(
    id: string,
    { evaluateEvery, checkpointEvery }: { evaluateEvery: number; checkpointEvery: number },
    onEvent: (e: TrainingEvent) => void,
    most = Infinity,
  ) {
    const entry = runs.get(id)!
    const set = (change: Partial<RunInfo>) => {
      entry.info = { ...entry.info, ...change }
      onEvent({ type: 'run', run: entry.info })
    }
    control = most === 1 ? 'pause' : 'run'
    tell = onEvent
    entry.log = entry.log.filter((record) => record.step <= entry.info.checkpointStep)
    set({ state: 'running', step: entry.info.checkpointStep })
    if (entry.info.step === 0 && evaluateEvery > 0) evaluate(entry, 0, onEvent)
    const { recipe, steps } = entry.info
    const quick = modes.has('many-steps')
    for (let step = entry.info.step + 1; step <= steps; step++) {
      if (step <= 25 && !quick)
        for (let done = 0; done <= recipe.batchSize; done += 2) {
          const image = `images/${step}-${done}.png`
          onEvent({ type: 'features', done, total: recipe.batchSize, image, cached: false })
          await sleep(6)
        }
      if (step === 10 && modes.has('train-oom')) {
        modes = new Set()
        set({ state: 'failed', problem: 'the device refused 1.2 GB' })
        throw named('OutOfMemoryError', 'train: expected 1.2 GB for activations, the device refused.')
      }
      if (modes.has('slow-steps')) await sleep(1000)
      else if (!quick) await sleep(50)
      else if (step % 50 === 0) await sleep(20)
      const lr = rate(recipe, step, steps, recipe.learningRate)
      const { samplerLearningRate: sampler } = recipe
      const record: LogRecord = {
        type: 'step',
        step,
        loss: step === 30 ? NaN : lossAt(step),
        microLosses: [lossAt(step)],
        lr,
        ...(sampler !== null && { samplerLr: rate(recipe, step, steps, sampler) }),
        gradNorm: 4 * Math.exp(-step / 60) + 0.4 + 0.3 * noise(step + 3),
        tokens: 1200,
        learnedTokens: 160,
        samples: recipe.batchSize * recipe.accumulate,
        ms: 50,
        ...(step === 30 && { skipped: true as const }),
      }
      entry.log.push(record)
      entry.info = { ...entry.info, step, loss: lossAt(step) }
      onEvent({
        ...record,
        stepsPerSecond: 11.3,
        tokensPerSecond: 13_560,
        secondsLeft: (steps - step) / 11.3,
      })
      if (step === 4) {
        const row = { row: 9, id: '000009', image: 'images/9.png', reason: 'images/9.png is damaged' }
        onEvent({ type: 'skipped', row, count: 4 })
      }
      if ((evaluateEvery > 0 && step % evaluateEvery === 0) || step === steps) evaluate(entry, step, onEvent)
      if (step % checkpointEvery === 0 || step === steps || asked() !== 'run') {
        entry.info = { ...entry.info, checkpointStep: step }
        onEvent({ type: 'checkpoint', step })
      }
      if (asked() !== 'run' && step < steps) {
        set({ state: asked() === 'stop' ? 'stopped' : 'paused', step })
        live = asked() === 'stop' ? undefined : id
        return entry.info
      }
    }
    live = undefined
    set({ state: 'done', step: steps })
    return entry.info
  }

  function evaluate(entry: Entry, step: number, onEvent: (e: TrainingEvent) => void) {
    const evaluation = { step, loss: lossAt(step, 0.12), samples: 20 }
    entry.log.push({ type: 'evaluation', ...evaluation })
    entry.info = { ...entry.info, evaluationLoss: evaluation.loss }
    onEvent({ type: 'evaluation', ...evaluation })
    for (const [row, image] of (entry.images ?? [undefined, undefined, undefined]).entries()) {
      const caption = captionAt(step, row, image)
      entry.log.push({ type: 'caption', ...caption })
      onEvent({ type: 'caption', ...caption })
    }
  }

  const stepsOf = ({ recipe, dataset }: TrainingRequest) => {
    if (modes.has('many-steps')) return 10_000
    const rows = dataset.kind === 'pairs' ? dataset.pairs.length : 200
    return recipe.steps ?? recipe.epochs * Math.ceil(rows / (recipe.batchSize * recipe.accumulate))
  }

  return {
    recipes: async () => RECIPES,
    connectorLayouts: async () => ['llava', 'hf', 'tinyllava'],
    async openDataset(source, onProgress) {
      structuredClone(source)
      for (let rows = 0; rows <= 203; rows += 29) {
        onProgress(rows)
        await sleep(15)
      }
      if (modes.has('data-refused'))
        throw named('DatasetError', 'dataset: expected a .json, .jsonl, .csv or .tsv file, came 3 pictures.')
      return describe(source)
    },
    async planTraining(request) {
      structuredClone(request)
      await sleep(120)
      const steps = stepsOf(request)
      const { recipe } = request
      const fits = !modes.has('train-tight')
      const count = Math.min(512, steps)
      return {
        steps,
        stepsPerEpoch: Math.ceil(steps / recipe.epochs),
        warmupSteps: Math.ceil(recipe.warmupRatio * steps),
        trainedParameters: 98_816,
        learningRates: Array.from({ length: count }, (_, i) => {
          const step = Math.round(1 + (i * (steps - 1)) / Math.max(1, count - 1))
          const sampler = recipe.samplerLearningRate
          return {
            step,
            lr: rate(recipe, step, steps, recipe.learningRate),
            ...(sampler !== null && { samplerLr: rate(recipe, step, steps, sampler) }),
          }
        }),
        gpuBytes: { model: 17e6, optimizer: 1.6e6, activations: 48e6, total: 66.6e6 },
        cacheBytes: 9.2e6,
        secondsPerStep: 0.31,
        secondsTotal: 0.31 * steps,
        fits,
        ...(!fits && {
          advice: 'About 2.3 GB are needed and 1.0 GB is likely there. Take micro-batches of 2.',
        }),
      }
    },
    async cancelOpening() {
      opening.abort()
      opening = new AbortController()
    },
    async train(request, onEvent) {
      structuredClone(request)
      if (modes.has('slow-start')) await untilCancelled(opening)
      const id = crypto.randomUUID()
      const info: RunInfo = {
        id,
        name: request.name,
        model: 'trilobite-nano-llava',
        createdAt: Date.now(),
        recipe: request.recipe,
        dataset: { name: 'Sample set', fingerprint: 'fake', rows: 203, skipped: 3, heldOut: [0, 1, 2] },
        state: 'running',
        step: 0,
        steps: stepsOf(request),
        checkpointStep: 0,
      }
      const { dataset } = request
      runs.set(id, {
        info,
        log: [],
        ...(dataset.kind === 'pairs' && { images: dataset.pairs.map(({ name }) => name) }),
      })
      return play(id, request, onEvent)
    },
    async resumeTraining(run, dataset, onEvent) {
      structuredClone(dataset)
      if (modes.has('slow-start')) await untilCancelled(opening)
      if (!runs.has(run)) throw named('TrainingError', `resume: expected a run, ${run} is none.`)
      return play(run, KNOWN, onEvent)
    },
    async controlTraining(action) {
      if (action === 'step' && live) await play(live, KNOWN, tell, 1)
      else if (action !== 'step' && action !== 'resume') control = action
      if (action === 'stop' && live) {
        const entry = runs.get(live)!
        entry.info = { ...entry.info, state: 'stopped' }
        live = undefined
        tell({ type: 'run', run: entry.info })
      }
    },
    async runs() {
      // The other tab pauses its run while this page is not looked at.
      const isPausedElsewhere = ++listings > 1
      return [...runs.values()].map(({ info: { isElsewhere, ...info } }) =>
        isElsewhere && !isPausedElsewhere ? { ...info, isElsewhere } : info,
      )
    },
    runLog: async (run) => runs.get(run)?.log ?? [],
    async renameRun(run, name) {
      const entry = runs.get(run)!
      entry.info = { ...entry.info, name }
    },
    async deleteRun(run) {
      runs.delete(run)
    },
    exportRun: async () => [
      { path: 'model.safetensors', bytes: new Uint8Array(1000) },
      { path: 'config.json', bytes: new TextEncoder().encode('{}') },
    ],
    async importConnector(files) {
      structuredClone(files)
      if (files[0]!.path.startsWith('damaged'))
        throw named('CheckpointError', 'import: 2 tensors missing (linear_1.weight, linear_2.weight)')
      return { name: files[0]!.path, parameters: 98_816 }
    },
    async useConnector(run) {
      return run
        ? { name: runs.get(run)!.info.name, run, parameters: 98_816 }
        : { name: 'checkpoint', parameters: 98_816 }
    },
    async checkGradients({ directions }, onProgress) {
      const parameters = [
        'all parameters',
        'linear_1.weight',
        'linear_1.bias',
        'linear_2.weight',
        'linear_2.bias',
      ]
      if (modes.has('slow-start')) await untilCancelled(opening)
      const total = directions * parameters.length
      for (let done = 0; done <= total; done++) {
        onProgress(done, total)
        await sleep(40)
      }
      return {
        model: 'trilobite-nano-llava',
        adapter: 'fake',
        loss: 3.2718,
        tolerance: 0.002,
        passed: true,
        checks: parameters.flatMap((name, i) =>
          Array.from({ length: directions }, (_, j) => ({
            name,
            analytic: 0.0123 * (i + 1) * (j % 2 ? -1 : 1),
            numeric: 0.01231 * (i + 1) * (j % 2 ? -1 : 1),
            relativeError: 0.0004 * (i + 1),
            passed: true,
            resolved: name !== 'linear_2.bias',
          })),
        ),
        ms: 4120,
      }
    },
  }
}

/** What is different about each run of an earlier visit. */
const OLD_RUNS: readonly (Partial<RunInfo> & { rate?: number; worse?: number })[] = [
  { name: 'Sample set, llava-1.5', state: 'done' },
  { name: 'Slower rate', state: 'done', rate: 5e-4, worse: 0.2 },
  { name: 'Slower still', state: 'done', rate: 1e-4, worse: 0.5, startedFrom: 'Slower rate' },
  {
    name: 'Left in the night',
    state: 'paused',
    problem: 'train: the model was unloaded. Load it again to go on.',
  },
  { name: 'Too fast', state: 'failed', rate: 1, problem: 'train: loss or gradient was not finite.' },
  { name: 'In the other window', state: 'running', isElsewhere: true },
  { name: 'Stopped by hand', state: 'stopped', worse: 0.1 },
]

function addOldRuns(runs: Map<string, Entry>) {
  for (const [i, { rate: peak = 1e-3, worse = 0, ...given }] of OLD_RUNS.entries()) {
    const steps = 120
    const step = given.state === 'done' ? steps : 63
    const recipe = { ...LLAVA, learningRate: peak }
    const log: LogRecord[] = Array.from({ length: step }, (_, at) => ({
      type: 'step' as const,
      step: at + 1,
      loss: lossAt(at + 1, worse),
      microLosses: [],
      lr: rate(recipe, at + 1, steps, recipe.learningRate),
      gradNorm: 1 + 0.3 * noise(at),
      tokens: 1200,
      learnedTokens: 160,
      samples: 8,
      ms: 250,
    }))
    for (const at of [25, 50, 75, 100, 120]) {
      if (at > step) break
      log.push({ type: 'evaluation', step: at, loss: lossAt(at, worse + 0.1), samples: 3 })
      for (const row of [0, 1, 2]) log.push({ type: 'caption', ...captionAt(at, row) })
    }
    runs.set(`old-${i}`, {
      log,
      info: {
        id: `old-${i}`,
        name: '',
        model: 'trilobite-nano-llava',
        createdAt: Date.UTC(2026, 0, 5 + i, 12),
        recipe,
        dataset: { name: 'Sample set', fingerprint: 'fake', rows: 203, skipped: 3, heldOut: [0, 1, 2] },
        state: 'done',
        step,
        steps,
        checkpointStep: step === steps ? steps : 50,
        loss: lossAt(step, worse),
        evaluationLoss: lossAt(step === steps ? steps : 50, worse + 0.1),
        ...given,
      },
    })
  }
  const [first] = runs.values()
  runs.set('damaged', {
    log: [],
    info: {
      ...first!.info,
      id: 'damaged',
      name: '3f0c2a1e-7d7e-4d0c-9f0e-000000000000',
      model: 'unknown',
      createdAt: 0,
      dataset: { name: 'unknown', fingerprint: 'unknown', rows: 0, skipped: 0, heldOut: [] },
      state: 'failed',
      step: 0,
      steps: 0,
      checkpointStep: 0,
      problem:
        'run.json: expected a JSON object; the file was changed or the disk is damaged, delete the run',
    },
  })
}
