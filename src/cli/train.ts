import { basename, resolve } from 'node:path'
import { DeviceLostError } from '../kernels/errors'
import { AbortError } from '../model/errors'
import type { EvaluationRecord, LogRecord, RunInfo, SkippedRow } from '../model/train/definition'
import { fixedOrder } from '../model/train/order'
import { usableFor } from '../model/train/usable-rows'
import type { Engine } from '../worker/engine'
import type { ConnectorLayout, TrainingEvent } from '../worker/training-api'
import { openDiskStore } from './disk-store'
import { ONLY_RUN } from './disk-runs'
import { UsageError, withAdvice } from './errors'
import { Interrupt } from './interrupt'
import { openModel } from './open-model'
import { print } from './output'
import { ProgressLine } from './progress-line'
import { checkAgainst, RunFolder, type KeptRun } from './run-folder'
import { SkippedList } from './skipped-list'
import type { TrainArgs } from './train-args'
import { endJson, skippedLines, TrainPrinter } from './train-output'
import { recipeFor, recipeOf, templateOf } from './train-recipe'
import { lookThrough, readOrder } from './training-data'

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
  const order = args.order === undefined ? undefined : await readOrder(args.order)
  if (args.resume) checkAgainst(await folder.expectRun(), args, order)
  // Before anything is written: of two that begin at once, one does.
  const release = await folder.lock(args.resume)
  try {
    const kept = args.resume ? await folder.expectRun() : undefined
    if (!kept) await folder.expectNew()
    const progress = new ProgressLine()
    const list = new SkippedList(folder.path, args.resume)
    const printer = new TrainPrinter(args.json, progress, list)
    const ended = await trainIn(folder, { args, order, kept, progress, list, printer }).finally(() => {
      progress.clear()
      printer.tellSkipped()
    })
    await end(args, ended)
  } finally {
    release()
  }
}

interface Training {
  readonly args: TrainArgs
  readonly order: unknown
  /** The run that goes on. */
  readonly kept: KeptRun | undefined
  readonly progress: ProgressLine
  readonly list: SkippedList
  readonly printer: TrainPrinter
}

interface Ended {
  readonly info: RunInfo
  /** Validation before the first step. */
  readonly before: EvaluationRecord | undefined
  readonly seconds: number
}

async function trainIn(folder: RunFolder, training: Training): Promise<Ended> {
  const { args, order, kept, progress, list, printer } = training
  const interrupt = Interrupt.watch()
  const note = (text: string) => progress.note(`note: ${text}`)
  if (list.count > 0) note(`${list.count} rows were left out so far, listed in ${list.path}`)
  const leaveOut = (rows: readonly SkippedRow[], of: string) => {
    for (const line of skippedLines(list.add(rows), of, list.path)) progress.note(line)
  }
  const dataset = await lookThrough(args, kept, { signal: interrupt.signal, progress, leaveOut })
  const scan = await dataset.scan()
  if (!kept && order !== undefined) fixedOrder(order, dataset.length, scan.usable)
  const { engine, loaded } = await openModel(
    'train',
    { ...args, dtype: kept && args.dtype === 'auto' ? dtypeOf(kept.settings.dtype) : args.dtype },
    interrupt,
    progress,
    {
      runs: async () => folder.files,
      featureStore: () => openDiskStore(args.cache ?? resolve(args.out, 'features')),
    },
  )
  const layout = await layoutOf(engine, args.layout)
  const { opened, tokenizer } = engine.loaded!
  const recipe = kept?.info.recipe ?? recipeOf(args, order, note, recipeFor(opened.blueprint))
  leaveOut(usableFor(scan, recipe).skipped, `${dataset.length} rows`)
  // A template that cannot serve this model would otherwise be told of each row anew.
  tokenizer.supervise(
    [
      { from: 'human', value: '<image>' },
      { from: 'gpt', value: 'A picture.' },
    ],
    recipe,
  )
  printer.tell(
    `${loaded.model} in ${loaded.dtype}, recipe ${recipe.name} under the template ${templateOf(recipe, tokenizer)}, ` +
      `${dataset.name}: ${dataset.length} rows` +
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
  const before = validationBefore(await engine.training.runLog(ONLY_RUN))
  return { info, before, seconds: (performance.now() - started) / 1000 }
}

/** Validation loss before the first step. */
const validationBefore = (log: readonly LogRecord[]) =>
  log.find((record) => record.type === 'evaluation' && record.step === 0) as EvaluationRecord | undefined

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
  await engine.watch((event) => {
    // Of a loss that the engine recovers from, the log goes on from its last checkpoint.
    if (event.type === 'not-recovered' || (event.type === 'device-lost' && !event.recovers))
      lost = event.message
  })
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
async function end({ json, out }: TrainArgs, { info, before, seconds }: Ended): Promise<void> {
  const { state, step, steps, evaluationLoss } = info
  const isDone = state === 'done'
  if (json) {
    const losses = { evalLoss: evaluationLoss, evalLossBefore: before?.loss }
    await print(endJson({ done: isDone, out, ...losses, steps: step }))
  }
  if (!isDone) {
    throw new AbortError(
      `train: paused behind step ${step} of ${steps}; the same command with --resume goes on. ` +
        `The connector as it is lies in ${out}`,
    )
  }
  if (json) return
  const was = before ? ` (${before.loss.toFixed(4)} before)` : ''
  const loss = evaluationLoss === undefined ? '' : `, validation loss ${evaluationLoss.toFixed(4)}${was}`
  await print(
    `done: ${steps} steps in ${seconds.toFixed(1)} s${loss}; the connector and its log lie in ${out}\n`,
  )
}
