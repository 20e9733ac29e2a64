import type { Recipe } from '../model/train/definition'
import { recipes, type RecipeName } from '../model/train/recipes'
import type { ConnectorLayout } from '../worker/training-api'
import { UsageError } from './errors'
import {
  COMMON,
  commonOf,
  MODEL,
  modelOf,
  numberOf,
  oneOf,
  optional,
  parse,
  type CommonArgs,
  type ModelArgs,
  type Range,
} from './options'

/** Values of a recipe that options set. */
export type RecipeChanges = Partial<Omit<Recipe, 'name'>>

export interface TrainArgs extends CommonArgs, Omit<ModelArgs, 'template'> {
  command: 'train'
  data: string
  images: string | undefined
  out: string
  /** Undefined where it was not asked for: then the default, or that of the run that goes on. */
  recipe: RecipeName | undefined
  changes: RecipeChanges
  order: string | undefined
  evalData: string | undefined
  heldOut: number | undefined
  evaluateEvery: number | undefined
  captions: number | undefined
  checkpointEvery: number | undefined
  layout: ConnectorLayout | undefined
  cache: string | undefined
  resume: boolean
}

export interface GradcheckArgs extends CommonArgs, ModelArgs {
  command: 'gradcheck'
  directions: number
  seed: number
}

/** Which option sets a value of a recipe. */
export const RECIPE_OPTIONS = {
  steps: '--steps',
  epochs: '--epochs',
  batchSize: '--batch-size',
  accumulate: '--accumulate',
  learningRate: '--lr',
  samplerLearningRate: '--sampler-lr',
  warmupRatio: '--warmup-ratio',
  schedule: '--schedule',
  captionEnd: '--caption-end',
  template: '--template',
  start: '--start',
  imageAspectRatio: '--image-aspect-ratio',
  maxTokens: '--max-tokens',
  weightDecay: '--weight-decay',
  maxGradNorm: '--max-grad-norm',
  seed: '--seed',
} as const satisfies Partial<Record<keyof Recipe, string>>

const LAYOUTS: readonly ConnectorLayout[] = ['llava', 'hf', 'tinyllava', 'cambrian']

const text = { type: 'string' } as const
const TRAIN = {
  data: text,
  images: text,
  out: text,
  recipe: text,
  steps: text,
  epochs: text,
  'batch-size': text,
  accumulate: text,
  lr: text,
  'sampler-lr': text,
  'warmup-ratio': text,
  schedule: text,
  'caption-end': text,
  start: text,
  'image-aspect-ratio': text,
  'max-tokens': text,
  'weight-decay': text,
  'max-grad-norm': text,
  seed: text,
  order: text,
  'held-out': text,
  'eval-data': text,
  'eval-every': text,
  captions: text,
  'checkpoint-every': text,
  layout: text,
  cache: text,
  resume: { type: 'boolean' },
} as const

const whole = (min: number, max: number): Range => ({ min, max, whole: true })
const COUNT = whole(0, 1e9)

/** Undefined where help is asked for. Throws: UsageError. */
export function parseTrain(argv: string[]): TrainArgs | undefined {
  const values = parse('train', argv, { ...COMMON, ...MODEL, ...TRAIN })
  if (values.help) return undefined
  const { data, out } = values
  const { template, ...model } = modelOf('train', values)
  if (!data)
    throw new UsageError('train: --data FILE is missing: .json, .jsonl, .csv, .tsv, .zip or a folder')
  if (!out) throw new UsageError('train: --out DIR is missing: the folder of the run and its connector')
  if (values.steps !== undefined && values.epochs !== undefined)
    throw new UsageError('train: --steps and --epochs both say how long; give one of them')
  const count = (name: 'held-out' | 'eval-every' | 'captions' | 'checkpoint-every') =>
    optional(values[name], (value) => numberOf(`train: --${name}`, value, COUNT))
  return {
    command: 'train',
    ...commonOf('train', values),
    ...model,
    data,
    images: values.images,
    out,
    recipe: optional(values.recipe, (name) =>
      oneOf('train: --recipe', name, Object.keys(recipes) as RecipeName[]),
    ),
    changes: changesOf({ ...values, template }),
    order: values.order,
    evalData: values['eval-data'],
    heldOut: count('held-out'),
    evaluateEvery: count('eval-every'),
    captions: count('captions'),
    checkpointEvery: count('checkpoint-every'),
    layout: optional(values.layout, (layout) => oneOf('train: --layout', layout, LAYOUTS)),
    cache: values.cache,
    resume: values.resume ?? false,
  }
}

/** Those that were given, within the ranges of `checkRecipe`. */
function changesOf(
  values: { [name in keyof typeof TRAIN]?: string | boolean } & { template?: string | undefined },
): RecipeChanges {
  const given = (flag: string) => values[flag.slice(2) as keyof typeof values] as string | undefined
  const changes: Record<string, unknown> = {}
  const take = (field: keyof typeof RECIPE_OPTIONS, read: (flag: string, value: string) => unknown) => {
    const flag = RECIPE_OPTIONS[field]
    const value = given(flag)
    if (value !== undefined) changes[field] = read(`train: ${flag}`, value)
  }
  const number = (range: Range) => (flag: string, value: string) => numberOf(flag, value, range)
  const choice = (choices: readonly string[]) => (flag: string, value: string) => oneOf(flag, value, choices)
  const rate = number({ min: 0, max: 1, above: true })
  take('steps', number(whole(1, 1e9)))
  take('epochs', number({ min: 0, max: 1e6, above: true }))
  take('batchSize', number(whole(1, 4096)))
  take('accumulate', number(whole(1, 4096)))
  take('learningRate', rate)
  take('samplerLearningRate', (flag, value) => (value === 'none' ? null : rate(flag, value)))
  take('warmupRatio', number({ min: 0, max: 1 }))
  take('schedule', choice(['cosine', 'linear', 'constant']))
  take('captionEnd', choice(['eos', 'newline']))
  take('template', (flag, value) => {
    if (value.trim() === '') throw new UsageError(`${flag} should be a template's name, got ""`)
    return value
  })
  take('start', choice(['checkpoint', 'fresh']))
  take('imageAspectRatio', choice(['model', 'square', 'pad']))
  take('maxTokens', number(whole(2, 2 ** 20)))
  take('weightDecay', number({ min: 0, max: 1 }))
  take('maxGradNorm', number({ min: 0, max: 1e6 }))
  take('seed', number(whole(0, 2 ** 32 - 1)))
  // Epochs decide where steps do not.
  if (changes['epochs'] !== undefined) changes['steps'] = null
  return changes as RecipeChanges
}

/** Undefined where help is asked for. Throws: UsageError. */
export function parseGradcheck(argv: string[]): GradcheckArgs | undefined {
  const values = parse('gradcheck', argv, { ...COMMON, ...MODEL, directions: text, seed: text })
  if (values.help) return undefined
  return {
    command: 'gradcheck',
    ...commonOf('gradcheck', values),
    ...modelOf('gradcheck', values, 'f32'),
    directions: numberOf('gradcheck: --directions', values.directions ?? '4', whole(1, 10_000)),
    seed: numberOf('gradcheck: --seed', values.seed ?? '0', whole(0, 2 ** 32 - 1)),
  }
}
