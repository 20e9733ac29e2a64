import { basename, resolve } from 'node:path'
import { DeviceLostError } from '../kernels/errors'
import { AbortError } from '../model/errors'
import type { Recipe, RunInfo } from '../model/train/definition'
import { checkRecipe, findRecipe } from '../model/train/recipes'
import type { Engine } from '../worker/engine'
import type { ConnectorLayout, TrainingEvent } from '../worker/training-api'
import { openDiskFeatures } from './disk-features'
import { ONLY_RUN } from './disk-runs'
import { UsageError, withAdvice } from './errors'
import { Interrupt } from './interrupt'
import { openModel } from './open-model'
import { print } from './output'
import { ProgressLine } from './progress-line'
import { checkAgainst, RunFolder } from './run-folder'
import { lockFolder } from './run-lock'
import type { TrainArgs } from './train-args'
import { endJson, skippedLines, TrainPrinter } from './train-output'
import { openTrainingData, readOrder } from './training-data'

const DEFAULT_RECIPE = 'llava-1.5'
const EVALUATE_EVERY = 100
const CAPTIONS = 2
const CHECKPOINT_EVERY = 10

/**
 * Trains a connector and exports it, or goes on with a run that was interrupted.
 *
 * Throws: AbortError after Ctrl+C, when everything is written; UsageError, and what training throws with how to go on.
 */
export async function train(args: TrainArgs): Promise<void> {
  const folder = new RunFolder(args.out)
  const kept = args.resume ? await folder.expectRun() : undefined
  if (!kept) await folder.expectNew()
  const order = args.order === undefined ? undefined : await readOrder(args.order)
  if (kept) checkAgainst(kept, args, order)

  const interrupt = Interrupt.watch()
  const progress = new ProgressLine()
  const printer = new TrainPrinter(args.json, progress)
  const validatedOn = kept && (kept.settings.heldOutData ?? null)
  const { dataset, notes } = await openTrainingData(args, interrupt.signal, validatedOn)
  if (kept?.settings.heldOutData !== undefined && !dataset.heldOut)
    throw new UsageError(
      'train: this run validates on held-out rows of their own; give its --eval-data again',
    )
  for (const note of notes) progress.note(`note: ${note}`)
  const { skipped } = await dataset.scan({
    signal: interrupt.signal,
    onProgress: (rows) => progress.show(`looking through the data: ${rows} of ${dataset.length} rows`),
  })
  progress.clear()
  for (const line of skippedLines(skipped, dataset.length)) progress.note(line)
  const recipe = kept?.info.recipe ?? recipeOf(args, order, (note) => progress.note(`note: ${note}`))

  const { engine, loaded } = await openModel(
    'train',
    { ...args, dtype: kept && args.dtype === 'auto' ? dtypeOf(kept.settings.dtype) : args.dtype },
    interrupt,
    progress,
    {
      runs: async () => folder.files,
      lockRun: () => lockFolder(resolve(args.out)),
      featureStore: () => openDiskFeatures(args.cache ?? resolve(args.out, 'features')),
    },
  )
  const layout = await layoutOf(engine, args.layout)
  // A template that cannot serve this model would otherwise be told of each row anew.
  engine.loaded!.tokenizer.supervise(
    [
      { from: 'human', value: '<image>' },
      { from: 'gpt', value: 'A picture.' },
    ],
    recipe,
  )
  printer.tell(
    `${loaded.model} in ${loaded.dtype}, recipe ${recipe.name}, ${dataset.name}: ${dataset.length} rows` +
      (kept ? `, going on behind step ${kept.info.checkpointStep} of ${kept.info.steps}` : ''),
  )

  const started = performance.now()
  const info = await supervised(
    engine,
    folder,
    interrupt,
    (onEvent) =>
      kept
        ? engine.training.resumeOn(ONLY_RUN, dataset, onEvent)
        : engine.training.trainOn(
            dataset,
            {
              recipe,
              name: basename(resolve(args.out)),
              id: ONLY_RUN,
              heldOut: args.heldOut ?? 0,
              evaluateEvery: args.evaluateEvery ?? EVALUATE_EVERY,
              captions: args.captions ?? CAPTIONS,
              checkpointEvery: args.checkpointEvery ?? CHECKPOINT_EVERY,
              ...(order !== undefined && { order }),
            },
            onEvent,
          ),
    (event) => printer.show(event),
  )
  progress.clear()
  await folder.writeExport(await engine.training.exportRun(ONLY_RUN, layout))
  for (const line of skippedLines(printer.skipped, dataset.length)) progress.note(line)
  await end(args, info, (performance.now() - started) / 1000)
}

/** Values of the recipe, of the order where there is one, and of options. */
export function recipeOf(
  args: Pick<TrainArgs, 'recipe' | 'changes'>,
  order: unknown,
  onNote: (note: string) => void,
): Recipe {
  const { recipe } = findRecipe(args.recipe ?? DEFAULT_RECIPE)
  const { changes } = args
  const sizes = order === undefined ? {} : sizesOf(order)
  for (const [name, given, own] of [
    ['--batch-size', changes.batchSize, sizes.batchSize],
    ['--accumulate', changes.accumulate, sizes.accumulate],
  ] as const) {
    if (given !== undefined && own !== undefined && given !== own)
      onNote(`the order says which rows go together: ${name} ${given} gives way to its ${own}`)
  }
  if (Array.isArray(order) && changes.steps != null && changes.steps > order.length)
    onNote(`the order has ${order.length} steps, which are trained instead of --steps ${changes.steps}`)
  // Who gives a checkpoint means the connector in it, whatever the original project begins with.
  return checkRecipe({ ...recipe, start: 'checkpoint', ...changes, ...sizes })
}

/** Batch and accumulation of an order's first step; nothing where it is malformed, which is told later. */
function sizesOf(order: unknown): Partial<Pick<Recipe, 'batchSize' | 'accumulate'>> {
  const first: unknown = Array.isArray(order) ? order[0] : undefined
  if (!Array.isArray(first) || first.length === 0) return {}
  const batch: unknown = first[0]
  if (!Array.isArray(batch)) return { batchSize: first.length, accumulate: 1 }
  return batch.length === 0 ? {} : { batchSize: batch.length, accumulate: first.length }
}

/** How a run's model was held. */
function dtypeOf(dtype: string): TrainArgs['dtype'] {
  return dtype as TrainArgs['dtype']
}

/** The layout asked for, or the checkpoint's own. Throws: UsageError before anything is trained. */
async function layoutOf(engine: Engine, asked: ConnectorLayout | undefined): Promise<ConnectorLayout> {
  const layouts = await engine.training.connectorLayouts()
  const layout = asked ?? layouts[0]
  if (layout !== undefined && layouts.includes(layout)) return layout
  throw new UsageError(
    `train: --layout should be one that this model's connector has (${layouts.join(', ') || 'it has none'})` +
      (asked === undefined ? '' : `, got ${asked}`),
  )
}

/** Trains until the run ends or Ctrl+C pauses it. Throws: what training throws, with the step to go on from. */
export async function supervised(
  engine: Pick<Engine, 'watch'> & { training: Pick<Engine['training'], 'controlTraining'> },
  folder: Pick<RunFolder, 'path' | 'checkpointStep'>,
  interrupt: Pick<Interrupt, 'seen' | 'on'>,
  run: (onEvent: (event: TrainingEvent) => void) => Promise<RunInfo>,
  onEvent: (event: TrainingEvent) => void,
): Promise<RunInfo> {
  let lost: string | undefined
  await engine.watch(({ message }) => (lost = message))
  let isPausing = false
  const pause = () => {
    if (isPausing) return
    isPausing = true
    // Until the first step begins there is nothing to pause: the next event asks again.
    engine.training.controlTraining('pause').catch(() => (isPausing = false))
  }
  interrupt.on(pause)
  try {
    const info = await run((event) => {
      onEvent(event)
      if (interrupt.seen) pause()
    })
    if (lost !== undefined) throw new DeviceLostError(lost)
    return info
  } catch (error) {
    const step = await folder.checkpointStep()
    if (step === undefined) throw error
    throw withAdvice(error, `The run is kept at step ${step} in ${folder.path}: go on with --resume.`)
  }
}

/** The last line. Throws: AbortError where the run was paused. */
async function end({ json, out }: TrainArgs, info: RunInfo, seconds: number): Promise<void> {
  const { state, step, steps, evaluationLoss } = info
  const isDone = state === 'done'
  if (json) await print(endJson({ done: isDone, out, evalLoss: evaluationLoss, steps: step }))
  if (!isDone) {
    throw new AbortError(
      `train: paused behind step ${step} of ${steps}; the same command with --resume goes on. ` +
        `The connector as it is lies in ${out}`,
    )
  }
  if (json) return
  const loss = evaluationLoss === undefined ? '' : `, validation loss ${evaluationLoss.toFixed(4)}`
  await print(
    `done: ${steps} steps in ${seconds.toFixed(1)} s${loss}; the connector and its log lie in ${out}\n`,
  )
}
