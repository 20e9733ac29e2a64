import type { Recipe } from '../model/train/definition'
import { fixedOrder } from '../model/train/order'
import { checkRecipe, findRecipe, type RecipeName } from '../model/train/recipes'
import type { RecipeChanges, TrainArgs } from './train-args'

/** Values of the recipe, of the order where there is one, and of options; `usual` is the recipe where none is asked for. */
export function recipeOf(
  args: Pick<TrainArgs, 'recipe' | 'changes'>,
  order: unknown,
  onNote: (note: string) => void,
  usual: RecipeName = 'llava-1.5',
): Recipe {
  const { recipe } = findRecipe(args.recipe ?? usual)
  const { changes } = args
  const ordered = order === undefined ? {} : orderedBy(order, changes, onNote)
  // Who gives a checkpoint means the connector in it, whatever the original project begins with.
  return checkRecipe({ ...recipe, start: 'checkpoint', ...changes, ...ordered })
}

/** What an order says of a recipe: batch and accumulation of its first step, and how many steps there can be. */
function orderedBy(
  order: unknown,
  { batchSize, accumulate, steps, epochs }: RecipeChanges,
  onNote: (note: string) => void,
): Pick<Recipe, 'batchSize' | 'accumulate' | 'steps'> {
  const fixed = fixedOrder(order, Infinity)
  const [first, ...others] = fixed.microBatches(0)
  const own = { batchSize: first!.length, accumulate: 1 + others.length }
  for (const [name, given, instead] of [
    ['--batch-size', batchSize, own.batchSize],
    ['--accumulate', accumulate, own.accumulate],
  ] as const) {
    if (given !== undefined && given !== instead)
      onNote(`the order says which rows go together: ${name} ${given} gives way to its ${instead}`)
  }
  if (epochs !== undefined)
    onNote(`the order says every step: --epochs ${epochs} gives way to its ${fixed.steps} steps`)
  if (steps != null && steps > fixed.steps)
    onNote(`the order has ${fixed.steps} steps, which are trained instead of --steps ${steps}`)
  return { ...own, steps: Math.min(fixed.steps, steps ?? fixed.steps) }
}

/** The recipe of the project that a model comes from. */
export const recipeFor = ({ promptStyle }: { promptStyle?: { project: string } }): RecipeName =>
  promptStyle?.project === 'cambrian' ? 'cambrian-1' : 'llava-1.5'

/** What a recipe's template is called. */
export const templateOf = (
  { template }: Recipe,
  { templateName }: { readonly templateName: string | undefined },
) => (template === 'model' ? (templateName ?? "the checkpoint's own") : template)
