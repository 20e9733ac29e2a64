import { ConfigError } from '../errors'
import type { KnownRecipe, Recipe } from './definition'

export type RecipeName = 'llava-1.5' | 'cambrian-1' | 'tinyllava'

/** What all three leave to transformers' TrainingArguments. */
const TRAINER = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  maxGradNorm: 1,
  steps: null,
  seed: 42,
} as const satisfies Partial<Recipe>

/** What the scripts of all three say alike. */
const STAGE_1 = {
  captionEnd: 'newline',
  start: 'fresh',
  learningRate: 1e-3,
  schedule: 'cosine',
  weightDecay: 0,
  epochs: 1,
  maxTokens: 2048,
} as const satisfies Partial<Recipe>

const TRAINER_SOURCES = {
  beta1: 'default of transformers, TrainingArguments.adam_beta1',
  beta2: 'default of transformers, TrainingArguments.adam_beta2',
  epsilon: 'default of transformers, TrainingArguments.adam_epsilon',
  maxGradNorm: 'default of transformers, TrainingArguments.max_grad_norm',
  steps: 'default of transformers, TrainingArguments.max_steps: epochs decide',
  seed: 'default of transformers, TrainingArguments.seed; the order it gives is our own generator’s',
} as const satisfies KnownRecipe['sources']

/** A step of 16 samples, 4 at a time: what a page's GPU holds beside a model of a few billion parameters. */
const BATCH = { batchSize: 4, accumulate: 4 } as const

function batchSources(globalBatch: string): Pick<KnownRecipe['sources'], 'batchSize' | 'accumulate'> {
  return {
    batchSize:
      `not the original’s: its global batch is ${globalBatch}, which does not fit a page. The rate is kept as it is ` +
      'there; Cambrian’s README gives lr * sqrt(batch / original batch) for other sizes',
    accumulate: 'not the original’s: with the batch size, 16 samples a step',
  }
}

const LLAVA = 'LLaVA, scripts/v1_5/pretrain.sh'
const CAMBRIAN = 'Cambrian, scripts/cambrian/pretrain_cambrian_8b.sh'
const TINY = 'TinyLLaVA Factory, scripts/train/pretrain.sh'

/** Stage 1 of the original projects. */
export const recipes: Readonly<Record<RecipeName, KnownRecipe>> = {
  'llava-1.5': {
    title: 'LLaVA 1.5',
    recipe: {
      ...TRAINER,
      ...BATCH,
      ...STAGE_1,
      name: 'llava-1.5',
      template: 'plain',
      imageAspectRatio: 'square',
      samplerLearningRate: null,
      warmupRatio: 0.03,
    },
    sources: {
      ...TRAINER_SOURCES,
      ...batchSources('256 (8 GPUs, --per_device_train_batch_size 32)'),
      template: `${LLAVA}, --version plain`,
      captionEnd:
        'LLaVA, llava/train/train.py, preprocess_plain: the caption and conv_llava_plain’s sep, "\\n"',
      start: `${LLAVA} names no --pretrain_mm_mlp_adapter: the projector is a new one`,
      imageAspectRatio: `${LLAVA} names no --image_aspect_ratio: llava/train/train.py, DataArguments, square`,
      learningRate: `${LLAVA}, --learning_rate 1e-3`,
      samplerLearningRate: 'LLaVA has no samplers',
      schedule: `${LLAVA}, --lr_scheduler_type "cosine"`,
      warmupRatio: `${LLAVA}, --warmup_ratio 0.03`,
      weightDecay: `${LLAVA}, --weight_decay 0.`,
      epochs: `${LLAVA}, --num_train_epochs 1`,
      maxTokens: `${LLAVA}, --model_max_length 2048`,
    },
  },
  'cambrian-1': {
    title: 'Cambrian-1',
    recipe: {
      ...TRAINER,
      ...BATCH,
      ...STAGE_1,
      name: 'cambrian-1',
      template: 'model',
      imageAspectRatio: 'model',
      samplerLearningRate: 1e-4,
      warmupRatio: 0.06,
    },
    sources: {
      ...TRAINER_SOURCES,
      ...batchSources('512 (README, “Visual Connector Training”; 1024 for 34B)'),
      template: `${CAMBRIAN}, --version llama_v3, and v1 or chatml_direct for 13B and 34B: the chat template, whole`,
      captionEnd: 'of the plain template alone, which the scripts do not use',
      start: `${CAMBRIAN} names no --pretrain_mm_mlp_adapter: the connector is a new one`,
      imageAspectRatio: `${CAMBRIAN}, --image_aspect_ratio pad, as its models have it`,
      learningRate: `${CAMBRIAN}, --learning_rate 1e-3`,
      samplerLearningRate: `${CAMBRIAN}, --mm_vision_sampler_lr 1e-4: names with vision_sampler or vision_query`,
      schedule: `${CAMBRIAN}, --lr_scheduler_type "cosine"`,
      warmupRatio: `${CAMBRIAN}, --warmup_ratio 0.06`,
      weightDecay: `${CAMBRIAN}, --weight_decay 0.`,
      epochs: `${CAMBRIAN}, --num_train_epochs 1`,
      maxTokens: `${CAMBRIAN}, --model_max_length 2048`,
    },
  },
  tinyllava: {
    title: 'TinyLLaVA',
    recipe: {
      ...TRAINER,
      ...BATCH,
      ...STAGE_1,
      name: 'tinyllava',
      template: 'plain',
      imageAspectRatio: 'square',
      samplerLearningRate: null,
      warmupRatio: 0.03,
    },
    sources: {
      ...TRAINER_SOURCES,
      ...batchSources('256 (4 GPUs, --per_device_train_batch_size 32, --gradient_accumulation_steps 2)'),
      template: `${TINY}, --conv_version pretrain: picture and caption alone, as LLaVA’s plain`,
      captionEnd:
        'TinyLLaVA Factory, tinyllava/data/template/pretrain_template.py, format_assistant: caption and "\\n"',
      start: `${TINY} names no --pretrained_model_path: tinyllava/train/train.py makes a new connector`,
      imageAspectRatio: `${TINY}, --image_aspect_ratio square`,
      learningRate: `${TINY}, --learning_rate 1e-3`,
      samplerLearningRate: 'TinyLLaVA has no samplers',
      schedule: `${TINY}, --lr_scheduler_type "cosine"`,
      warmupRatio: `${TINY}, --warmup_ratio 0.03`,
      weightDecay: `${TINY}, --weight_decay 0.`,
      epochs: `${TINY}, --num_train_epochs 1`,
      maxTokens: 'TinyLLaVA Factory, scripts/train/train_phi.sh, MODEL_MAX_LENGTH=2048',
    },
  },
}

/** A recipe by its exact name. Throws: ConfigError, which lists the known ones. */
export function findRecipe(name: string): KnownRecipe {
  if (Object.hasOwn(recipes, name)) return recipes[name as RecipeName]
  throw new ConfigError(
    `recipe: expected one of ${Object.keys(recipes).join(', ')}, got ${JSON.stringify(name)}; choose one of these`,
  )
}

interface Rule {
  readonly expected: string
  holds(value: unknown): boolean
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

const TEXT: Rule = {
  expected: 'a name',
  holds: (value) => typeof value === 'string' && value.trim() !== '' && value.length <= 200,
}
const oneOf = (...values: string[]): Rule => ({
  expected: values.map((value) => `"${value}"`).join(' or '),
  holds: (value) => values.includes(value as string),
})
const orNull = (rule: Rule): Rule => ({
  expected: `${rule.expected}, or null`,
  holds: (value) => value === null || rule.holds(value),
})
const whole = (least: number, most: number): Rule => ({
  expected: `a whole number from ${least} to ${most}`,
  holds: (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
})
const above0 = (most: number): Rule => ({
  expected: `a number above 0 and at most ${most}`,
  holds: (value) => isNumber(value) && value > 0 && value <= most,
})
const from0 = (most: number): Rule => ({
  expected: `a number from 0 to ${most}`,
  holds: (value) => isNumber(value) && value >= 0 && value <= most,
})
/** Powers of it must fade: 1 would keep the first gradient for ever, and so would what f32 rounds to 1. */
const DECAY: Rule = {
  expected: 'a number from 0 to below 1',
  holds: (value) => isNumber(value) && value >= 0 && Math.fround(value) < 1,
}
const EPSILON: Rule = {
  expected: 'a number from 1e-37 (the smallest of f32) to 1',
  holds: (value) => isNumber(value) && value >= 1e-37 && value <= 1,
}

const RULES: Readonly<Record<keyof Recipe, Rule>> = {
  name: TEXT,
  template: TEXT,
  captionEnd: oneOf('eos', 'newline'),
  start: oneOf('checkpoint', 'in-use', 'fresh'),
  imageAspectRatio: oneOf('model', 'square', 'pad'),
  learningRate: above0(1),
  samplerLearningRate: orNull(above0(1)),
  schedule: oneOf('cosine', 'linear', 'constant'),
  warmupRatio: from0(1),
  beta1: DECAY,
  beta2: DECAY,
  epsilon: EPSILON,
  weightDecay: from0(1),
  maxGradNorm: from0(1e6),
  batchSize: whole(1, 4096),
  accumulate: whole(1, 4096),
  epochs: above0(1e6),
  steps: orNull(whole(1, 1e9)),
  maxTokens: whole(2, 2 ** 20),
  seed: whole(0, 2 ** 32 - 1),
}

const FIELDS = Object.keys(RULES) as (keyof Recipe)[]

/** A copy of the recipe's fields alone. Throws: ConfigError, which names every field that cannot be. */
export function checkRecipe(recipe: Recipe): Recipe {
  const problems = problemsOf(recipe as unknown as Record<string, unknown>)
  if (problems.length > 0) throw new ConfigError(`recipe: ${problems.join('; ')}`)
  return Object.fromEntries(FIELDS.map((field) => [field, recipe[field]])) as unknown as Recipe
}

/** A recipe from parsed JSON. Throws: ConfigError as `checkRecipe`, and for fields that a recipe does not have. */
export function recipeFromJson(json: unknown): Recipe {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ConfigError(
      `recipe: should be a JSON object but is ${describe(json)}; write it as {"name": ...}`,
    )
  }
  const fields = json as Record<string, unknown>
  const unknown = Object.keys(fields).filter((field) => !Object.hasOwn(RULES, field))
  const problems = [
    ...problemsOf(fields),
    ...unknown.map((field) => `${JSON.stringify(field)} is not among its fields (${FIELDS.join(', ')})`),
  ]
  if (problems.length > 0) throw new ConfigError(`recipe: ${problems.join('; ')}`)
  return checkRecipe(fields as unknown as Recipe)
}

function problemsOf(recipe: Readonly<Record<string, unknown>>): string[] {
  return FIELDS.filter((field) => !RULES[field].holds(recipe[field])).map(
    (field) => `${field} should be ${RULES[field].expected} but is ${describe(recipe[field])}`,
  )
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing'
  // JSON has no word for these.
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return (JSON.stringify(value) ?? String(value)).slice(0, 80)
}
