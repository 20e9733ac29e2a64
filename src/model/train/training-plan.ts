import { elementCount, OutOfMemoryError } from '../../kernels'
import type { ChatModel } from '../chat-model'
import type { Dataset, TrainingPlan } from './definition'
import { activationEstimate } from './activation-memory'
import { featureBytes } from './features'
import { isSamplerParameter } from './optimizer'
import { ratePreview, stepsOf, warmupSteps } from './schedule'
import { connectorSpecs, optimizerBytes } from './trained-connector'
import { chooseRows, type RowChoice } from './run-rows'
import { Trainer, type TrainerOptions } from './trainer'

/** Rates that are told at most. */
const PREVIEW_POINTS = 512

/**
 * Plans a run: steps, rates, memory and time. Where the estimate fits the device, the first micro-batch goes through
 * forwards and backwards, which changes nothing: memory and time are then measured.
 *
 * Throws: as chooseRows and Trainer.create; AbortError.
 */
export async function planTraining(
  model: ChatModel,
  dataset: Dataset,
  request: RowChoice,
  host: Pick<TrainerOptions, 'codecs' | 'featureStore' | 'start'> & { readonly signal: AbortSignal },
): Promise<TrainingPlan> {
  const { recipe } = request
  const { vlm, opened, plan } = model
  const { gpu } = vlm
  const rows = await chooseRows(dataset, request, host.signal)
  const { vision } = opened.blueprint
  const specs = connectorSpecs(opened.blueprint)
  const optimizer = optimizerBytes(specs)
  const held = gpu.allocatedBytes
  const estimate = activationEstimate(model, Math.min(recipe.batchSize, rows.trained))
  const pictures = rows.trained + rows.heldOut.rows.length
  const told = {
    steps: rows.steps,
    stepsPerEpoch: stepsOf(recipe, rows.trained).stepsPerEpoch,
    warmupSteps: warmupSteps(recipe, rows.steps),
    trainedParameters: Object.values(specs).reduce((sum, { shape }) => sum + elementCount(shape), 0),
    learningRates: ratePreview(
      Object.keys(specs).some(isSamplerParameter) ? recipe : { ...recipe, samplerLearningRate: null },
      rows.steps,
      PREVIEW_POINTS,
    ),
    cacheBytes: pictures * featureBytes(vision?.towers ?? []),
  }
  const sized = (activations: number) => {
    const total = held + optimizer + activations
    return { gpuBytes: { model: held, optimizer, activations, total }, fits: total <= plan.budgetBytes }
  }
  const untried = sized(estimate)
  if (!untried.fits) {
    return {
      ...told,
      ...untried,
      advice: adviceOf(untried, plan.budgetBytes),
    }
  }
  const trainer = await Trainer.create(model, {
    recipe,
    dataset,
    order: rows.order,
    steps: rows.steps,
    heldOut: rows.heldOut,
    codecs: host.codecs,
    featureStore: host.featureStore,
    start: host.start,
  })
  try {
    const { secondsPerStep, secondsPerPicture, activationBytes } = await trainer.trial(host.signal)
    const seconds = rows.steps * secondsPerStep + pictures * secondsPerPicture
    return { ...told, ...sized(activationBytes), secondsPerStep, secondsTotal: seconds }
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error
    const advice = adviceOf(untried, plan.budgetBytes)
    return { ...told, ...untried, fits: false, advice }
  } finally {
    trainer.destroy()
    vlm.arena.trim()
  }
}

function adviceOf({ gpuBytes: { total } }: Pick<TrainingPlan, 'gpuBytes'>, budgetBytes: number): string {
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  return (
    `Needs about ${gib(total)} of GPU memory; this device is taken to have ${gib(budgetBytes)}. ` +
    'Lower the batch size and raise accumulation by as much, or load the model in q8 or q4.'
  )
}
