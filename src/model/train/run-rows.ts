import type { Dataset, Recipe, SkippedRow } from './definition'
import { chooseHeldOut, fixedOrder, shuffledOrder, type DataOrder } from './order'
import { checkRecipe } from './recipes'
import { stepsOf } from './schedule'

/** What decides which rows train, and when. */
export interface RowChoice {
  readonly recipe: Recipe
  /** Rows kept for validation; where the data brings a held-out file, at most so many of it, and all for 0. */
  readonly heldOut: number
  /** Fixes the data's order: step, micro-batch, rows. */
  readonly order?: unknown
}

/** The rows of a dataset as a run uses them. */
export interface RunRows {
  readonly order: DataOrder
  readonly steps: number
  readonly heldOut: { readonly dataset: Dataset; readonly rows: readonly number[] }
  readonly skipped: readonly SkippedRow[]
  /** Rows that train. */
  readonly trained: number
}

/**
 * Which rows train in which order, and which are kept for validation.
 *
 * Throws: DatasetError where none is left; ConfigError for a recipe that cannot be; AbortError.
 */
export async function chooseRows(
  dataset: Dataset,
  run: RowChoice,
  signal: AbortSignal,
  onProgress: (rows: number) => void = () => {},
): Promise<RunRows> {
  const recipe = checkRecipe(run.recipe)
  const { usable, skipped } = await dataset.scan({ signal, onProgress })
  const own = dataset.heldOut && (await dataset.heldOut.scan({ signal }))
  const chosen = own
    ? { train: usable, heldOut: [...own.usable.subarray(0, run.heldOut || undefined)] }
    : chooseHeldOut(usable, run.heldOut, recipe.seed)
  const order =
    run.order === undefined
      ? shuffledOrder(chosen.train, recipe)
      : fixedOrder(run.order, dataset.length, usable)
  const steps =
    order.steps === undefined
      ? stepsOf(recipe, chosen.train.length).steps
      : Math.min(order.steps, recipe.steps ?? order.steps)
  return {
    order,
    steps,
    heldOut: { dataset: dataset.heldOut ?? dataset, rows: chosen.heldOut },
    skipped,
    trained: chosen.train.length,
  }
}
