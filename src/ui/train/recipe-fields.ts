import type { DatasetInfo, Recipe } from '../../worker/client'
import { formatCount } from '../text/format'

/** A setting of a recipe that the page lets be edited; the name stands beside. */
export type FieldKey = Exclude<keyof Recipe, 'name'>

/** How a setting is shown, and what it may be. */
export interface Field<Key extends string = FieldKey> {
  readonly key: Key
  readonly label: string
  readonly hint?: string
  readonly kind: 'number' | 'integer' | 'choice' | 'text'
  /** Smallest allowed number. */
  readonly min?: number
  readonly max?: number
  /** The smallest or largest number itself is not allowed. */
  readonly excludes?: 'min' | 'max'
  /** What an empty field means; without this it must be filled. */
  readonly empty?: string
  readonly options?: readonly { readonly value: string; readonly label: string }[]
  /** Common values of a text. */
  readonly suggestions?: readonly string[]
}

export interface FieldGroup {
  readonly title: string
  readonly fields: readonly Field[]
}

const START: Field = {
  key: 'start',
  label: 'Connector starts from',
  kind: 'choice',
  options: [
    { value: 'fresh', label: 'new random weights' },
    { value: 'checkpoint', label: 'the checkpoint’s weights' },
    { value: 'in-use', label: 'the connector in use' },
  ],
}

/** Settings that most runs are told apart by; the ranges are the engine's, as everywhere here. */
export const MAIN_GROUPS: readonly FieldGroup[] = [
  {
    title: 'Start and length',
    fields: [
      START,
      { key: 'epochs', label: 'Epochs', kind: 'number', min: 0, excludes: 'min', max: 1e6 },
      {
        key: 'steps',
        label: 'Steps',
        hint: 'Instead of epochs.',
        kind: 'integer',
        min: 1,
        max: 1e9,
        empty: 'as epochs say',
      },
    ],
  },
  {
    title: 'Rate',
    fields: [
      { key: 'learningRate', label: 'Learning rate', kind: 'number', min: 0, excludes: 'min', max: 1 },
      {
        key: 'samplerLearningRate',
        label: 'Rate of samplers',
        hint: 'Of Cambrian’s vision_query and vision_sampler. Other connectors have none.',
        kind: 'number',
        min: 0,
        max: 1,
        excludes: 'min',
        empty: 'as the learning rate',
      },
      {
        key: 'schedule',
        label: 'Schedule',
        kind: 'choice',
        options: [
          { value: 'cosine', label: 'cosine, down to 0' },
          { value: 'linear', label: 'linear, down to 0' },
          { value: 'constant', label: 'constant' },
        ],
      },
      {
        key: 'warmupRatio',
        label: 'Warm-up, share of all steps',
        kind: 'number',
        min: 0,
        max: 1,
      },
    ],
  },
]

/** Settings that most runs leave as their recipe has them. */
export const MORE_GROUPS: readonly FieldGroup[] = [
  {
    title: 'What learns',
    fields: [
      {
        key: 'template',
        label: 'Template',
        hint: 'plain: picture and caption alone. model: the checkpoint’s chat template. Or a template’s name.',
        kind: 'text',
        suggestions: ['plain', 'model'],
      },
      {
        key: 'captionEnd',
        label: 'A plain caption ends with',
        kind: 'choice',
        options: [
          { value: 'eos', label: 'the end-of-sequence token' },
          { value: 'newline', label: 'a new line' },
        ],
      },
      {
        key: 'imageAspectRatio',
        label: 'Pictures that are no squares',
        kind: 'choice',
        options: [
          { value: 'model', label: 'as the model takes them' },
          { value: 'square', label: 'as the tower’s processor does' },
          { value: 'pad', label: 'padded to a square' },
        ],
      },
      {
        key: 'maxTokens',
        label: 'Longest sample, tokens',
        hint: 'Pictures count.',
        kind: 'integer',
        min: 2,
        max: 2 ** 20,
      },
    ],
  },
  {
    title: 'Batch',
    fields: [
      {
        key: 'batchSize',
        label: 'Micro-batch, samples',
        hint: 'They go through the GPU together; fewer need less memory.',
        kind: 'integer',
        min: 1,
        max: 4096,
      },
      { key: 'accumulate', label: 'Micro-batches a step', kind: 'integer', min: 1, max: 4096 },
      {
        key: 'seed',
        label: 'Seed',
        hint: 'Of the data’s order and of a new connector.',
        kind: 'integer',
        min: 0,
        max: 2 ** 32 - 1,
      },
    ],
  },
  {
    title: 'Optimizer (AdamW)',
    fields: [
      { key: 'beta1', label: 'β₁', kind: 'number', min: 0, max: 1, excludes: 'max' },
      { key: 'beta2', label: 'β₂', kind: 'number', min: 0, max: 1, excludes: 'max' },
      { key: 'epsilon', label: 'ε', kind: 'number', min: 0, excludes: 'min', max: 1 },
      { key: 'weightDecay', label: 'Weight decay', kind: 'number', min: 0, max: 1 },
      {
        key: 'maxGradNorm',
        label: 'Largest gradient norm',
        hint: '0 leaves gradients as they are.',
        kind: 'number',
        min: 0,
        max: 1e6,
      },
    ],
  },
]

/** Settings of a run that are not its recipe's. */
export type RunKey = 'heldOut' | 'evaluateEvery' | 'captions' | 'checkpointEvery'

export const RUN_FIELDS: readonly Field<RunKey>[] = [
  {
    key: 'heldOut',
    label: 'Rows to validate on',
    kind: 'integer',
    min: 0,
    max: 1e6,
  },
  {
    key: 'evaluateEvery',
    label: 'Steps between validations',
    hint: '0 validates at the end alone.',
    kind: 'integer',
    min: 0,
    max: 1e9,
  },
  {
    key: 'captions',
    label: 'Pictures captioned at each validation',
    hint: 'Of the rows to validate on, the first so many.',
    kind: 'integer',
    min: 0,
    max: 64,
  },
  {
    key: 'checkpointEvery',
    label: 'Steps between checkpoints',
    hint: 'A run that is cut short goes on from the last one.',
    kind: 'integer',
    min: 1,
    max: 1e9,
  },
]

/** All fields of a recipe in a row. */
export const FIELDS: readonly Field[] = [...MAIN_GROUPS, ...MORE_GROUPS].flatMap(({ fields }) => fields)

/** What 0 and other numbers of held-out rows mean depends on whether the data brings a file of them. */
export function heldOutHint(data: Pick<DatasetInfo, 'usable' | 'heldOutRows'> | undefined): string {
  if (!data) return 'Kept out of training.'
  if (data.heldOutRows)
    return `Of the ${formatCount(data.heldOutRows)} in the held-out file, the first so many; 0 takes all of them.`
  return `Kept out of training: so many of the ${formatCount(data.usable)}, chosen by the seed; 0 keeps none.`
}

/** Why so many rows cannot be held out, or nothing where they can. */
export function heldOutProblem(
  count: number,
  data: Pick<DatasetInfo, 'usable' | 'heldOutRows'> | undefined,
): string | undefined {
  if (!data?.usable || data.heldOutRows || count < data.usable) return undefined
  const most = data.usable - 1
  return most === 0
    ? 'The only usable row is left to train on: hold out 0.'
    : `At least one of the ${formatCount(data.usable)} usable rows is left to train on: hold out ${formatCount(most)} or fewer.`
}

/** The field of the start as it can be chosen: the connector in use by its name, and only while there is one. */
export function startField(field: Field, inUse: string | undefined, chosen: string | undefined): Field {
  if (field.key !== 'start') return field
  const named = (label: string) => (inUse === undefined ? label : `the connector you chat with now: ${inUse}`)
  return {
    ...field,
    options: (field.options ?? []).flatMap((option) => {
      if (option.value !== 'in-use') return option
      return inUse === undefined && chosen !== 'in-use' ? [] : { ...option, label: named(option.label) }
    }),
  }
}

/** What a field's text means, or why it means nothing, in a sentence for the visitor. */
export function parseField(
  field: Field<string>,
  text: string,
): { value: string | number | null } | { problem: string } {
  const trimmed = text.trim()
  if (!trimmed)
    return field.empty === undefined ? { problem: `${field.label} must be given.` } : { value: null }
  if (field.kind === 'text') return { value: trimmed }
  if (field.kind === 'choice')
    return field.options?.some(({ value }) => value === trimmed)
      ? { value: trimmed }
      : { problem: `${field.label} must be one of the list.` }

  const number = Number(trimmed)
  if (!Number.isFinite(number)) return { problem: `${trimmed} is not a number. Write it as 0.001 or 1e-3.` }
  if (field.kind === 'integer' && !Number.isSafeInteger(number))
    return { problem: `${field.label} must be a whole number.` }
  const { min = -Infinity, max = Infinity, excludes } = field
  if (number < min || (excludes === 'min' && number === min))
    return { problem: `${field.label} must be ${excludes === 'min' ? `above ${min}` : `${min} or more`}.` }
  if (number > max || (excludes === 'max' && number === max))
    return { problem: `${field.label} must be ${excludes === 'max' ? `below ${max}` : `${max} or less`}.` }
  return { value: number }
}

/** A setting as it stands in its field; nothing for one that decides nothing. */
export function fieldText(value: string | number | null): string {
  return value === null ? '' : String(value)
}

/** A setting as it is read in a table. */
export function describeValue(key: FieldKey, value: string | number | null): string {
  const field = FIELDS.find((candidate) => candidate.key === key)
  if (value === null) return field?.empty ?? 'none'
  return field?.options?.find((option) => option.value === value)?.label ?? String(value)
}

/** The settings in which recipes differ, with the value of each. */
export function differingFields(
  recipes: readonly Recipe[],
): { key: FieldKey | 'name'; label: string; values: string[] }[] {
  const differs = (key: keyof Recipe) => recipes.some((recipe) => recipe[key] !== recipes[0]![key])
  const fields = FIELDS.filter(({ key }) => differs(key)).map(({ key, label }) => ({
    key,
    label,
    values: recipes.map((recipe) => describeValue(key, recipe[key])),
  }))
  return differs('name')
    ? [{ key: 'name', label: 'Recipe', values: recipes.map(({ name }) => name) }, ...fields]
    : fields
}
