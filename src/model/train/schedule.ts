import { DatasetError } from '../errors'
import type { Recipe } from './definition'

/** Rates of one step; `samplerLr` where the sampler group has its own. */
export interface Rates {
  readonly lr: number
  readonly samplerLr?: number
}

/** Steps of a run, and of one pass over its rows. */
export interface Steps {
  readonly steps: number
  readonly stepsPerEpoch: number
}

/**
 * Counts the steps over `rows` rows of training data.
 *
 * Nothing is dropped at an epoch's end: the last micro-batch may be smaller, and the last step may have fewer
 * micro-batches; its gradient is the mean over those it has. A new epoch begins with a new step.
 *
 * Throws: DatasetError without rows. Source: transformers 5, Trainer.set_initial_training_values and _run_epoch with
 * dataloader_drop_last False; `max_steps` overrides epochs. Releases of LLaVA's time rounded the steps of an epoch down.
 */
export function stepsOf(
  recipe: Pick<Recipe, 'batchSize' | 'accumulate' | 'epochs' | 'steps'>,
  rows: number,
): Steps {
  if (rows < 1) {
    throw new DatasetError(
      'training data: expected at least one row to train on, got none; add picture/caption pairs',
    )
  }
  const stepsPerEpoch = Math.ceil(Math.ceil(rows / recipe.batchSize) / recipe.accumulate)
  return { steps: recipe.steps ?? Math.ceil(recipe.epochs * stepsPerEpoch), stepsPerEpoch }
}

/** Steps over which the rate rises. Source: transformers, TrainingArguments.get_warmup_steps. */
export function warmupSteps(recipe: Pick<Recipe, 'warmupRatio'>, steps: number): number {
  return Math.ceil(steps * recipe.warmupRatio)
}

/**
 * Share of the full rate at a step.
 *
 * Units: `step0` is counted from 0, so that with a warm-up the first step's share is 0; a run of `steps` steps never
 * reaches the 0 behind its last step.
 * Source: transformers, optimization.py: get_cosine_schedule_with_warmup (half a wave), get_linear_schedule_with_warmup,
 * get_constant_schedule_with_warmup.
 */
export function rateAt(
  recipe: Pick<Recipe, 'schedule' | 'warmupRatio'>,
  step0: number,
  steps: number,
): number {
  const warmup = warmupSteps(recipe, steps)
  if (step0 < warmup) return step0 / warmup
  if (recipe.schedule === 'constant') return 1
  const rest = Math.max(1, steps - warmup)
  if (recipe.schedule === 'linear') return Math.max(0, (steps - step0) / rest)
  return Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (step0 - warmup)) / rest)))
}

/** Rates of both groups at a step. Units: `step0` is counted from 0. */
export function rates(recipe: Recipe, step0: number, steps: number): Rates {
  const share = rateAt(recipe, step0, steps)
  const lr = recipe.learningRate * share
  return recipe.samplerLearningRate === null ? { lr } : { lr, samplerLr: recipe.samplerLearningRate * share }
}

/** Rates of every step, or of `points` steps spread evenly, the first and the last among them. Units: `step` from 1. */
export function ratePreview(recipe: Recipe, steps: number, points: number): ({ step: number } & Rates)[] {
  const count = Math.min(steps, Math.max(1, points))
  return Array.from({ length: count }, (_, i) => {
    const step0 = count === 1 ? 0 : Math.round((i * (steps - 1)) / (count - 1))
    return { step: step0 + 1, ...rates(recipe, step0, steps) }
  })
}
