import { fingerprintOf } from './dataset/fingerprint'
import type { Dataset, Recipe, SkippedRow } from './definition'
import { chooseHeldOut, fixedOrder, shuffledOrder, type DataOrder } from './order'
import { checkRecipe } from './recipes'
import { stepsOf } from './schedule'
import { expectUsable, usableFor } from './usable-rows'

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
  /** Tells which rows train, which validate, and for how many steps. */
  readonly fingerprint: string
}

/**
 * Which rows train in which order, and which are kept for validation.
 *
 * Throws: DatasetError where none can be used, or is left; ConfigError for a recipe that cannot be; AbortError.
 */
export async function chooseRows(
  dataset: Dataset,
  run: RowChoice,
  signal: AbortSignal,
  onProgress: (rows: number) => void = () => {},
): Promise<RunRows> {
  const recipe = checkRecipe(run.recipe)
  const all = usableFor(await dataset.scan({ signal, onProgress }), recipe)
  expectUsable(dataset, all)
  const { usable, skipped } = all
  const own = dataset.heldOut && usableFor(await dataset.heldOut.scan({ signal }), recipe).usable
  // What came along may be called as held-out rows are and be something else.
  const heldOut = own?.length ? own : undefined
  const chosen = heldOut
    ? { train: usable, heldOut: [...heldOut.subarray(0, run.heldOut || undefined)] }
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
    heldOut: { dataset: (heldOut && dataset.heldOut) ?? dataset, rows: chosen.heldOut },
    skipped,
    trained: chosen.train.length,
    fingerprint: await fingerprintOf(
      [String(steps)],
      [chosen.train, Uint32Array.from(chosen.heldOut)].map((rows) => new Uint8Array(rows.slice().buffer)),
    ),
  }
}
