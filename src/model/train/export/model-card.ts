import { isRepoName } from '../../checkpoint/hub-source'
import type { JsonObject } from '../../config-reader'
import type { LogRecord, Recipe, RunInfo } from '../definition'
import { howToLoad } from './how-to-load'
import { linearLayers, WEIGHTS_FILE, type ConnectorLayout, type ConnectorShapes } from './layouts'
import { connectorTraits } from './traits'

export interface ModelCardFacts {
  readonly layout: ConnectorLayout
  readonly shapes: ConnectorShapes
  readonly run: RunInfo
  readonly log: readonly LogRecord[]
  /** The config of the model that the connector was trained in. */
  readonly modelConfig: JsonObject
  /** The config.json beside the weights. */
  readonly config: JsonObject
  /** What ran the training, by name. */
  readonly versions: Readonly<Record<string, string>>
}

const LIBRARY: Readonly<Record<ConnectorLayout, string>> = {
  llava: 'llava',
  hf: 'transformers',
  tinyllava: 'tinyllava',
  cambrian: 'cambrian',
}

const LAYOUT_TITLES: Readonly<Record<ConnectorLayout, string>> = {
  llava: 'LLaVA (`model.mm_projector`)',
  hf: 'Hugging Face transformers (`multi_modal_projector`)',
  tinyllava: 'TinyLLaVA Factory (`_connector`)',
  cambrian: 'Cambrian-1 (the trained set below `model.`)',
}

/** Captions shown in the card. */
const CAPTIONS = 4
/** Steps whose losses are averaged at both ends of the run; the loss of one batch says little. */
const LOSS_STEPS = 10

/** README.md of an exported connector: what was trained on what and how it went, with the hub's front matter. */
export function modelCard(facts: ModelCardFacts): string {
  const { run, layout, shapes, modelConfig, config } = facts
  const layers = linearLayers(Object.keys(shapes))
  const sections = [
    frontMatter(run, layout),
    `# ${inline(run.name)}`,
    `The connector of a vision-language model, trained with ${inline(run.model)}'s vision tower and language model frozen ` +
      '(stage 1) by [Trilobite](#in-trilobite). The model itself is not part of this folder.',
    table(['', ''], connectorRows(facts)),
    '## Data',
    table(['', ''], dataRows(run)),
    '## How it went',
    ...results(facts),
    '## Recipe',
    table(['Setting', 'Value'], recipeRows(run, 'vision_query' in shapes)),
    '## How to load it',
    howToLoad({ layout, modelConfig, config, layers }),
    '### In Trilobite',
    `Load ${inline(run.model)} and import this folder, or \`${WEIGHTS_FILE[layout]}\` alone.`,
    '## Files',
    table(['File', 'What it holds'], fileRows(layout)),
  ]
  return sections.join('\n\n') + '\n'
}

function frontMatter({ model, recipe }: RunInfo, layout: ConnectorLayout): string {
  const repository = model.replace(/@.*$/, '')
  const tags = ['trilobite', 'connector', 'stage-1', 'vision-language', recipe.name]
  return [
    '---',
    ...(isRepoName(repository) ? [`base_model: ${JSON.stringify(repository)}`] : []),
    `library_name: ${LIBRARY[layout]}`,
    'pipeline_tag: image-text-to-text',
    'tags:',
    ...tags.map((tag) => `  - ${JSON.stringify(tag)}`),
    '---',
  ].join('\n')
}

function connectorRows({ run, layout, shapes, versions }: ModelCardFacts): Row[] {
  const parameters = Object.values(shapes).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  )
  return [
    ['Trained in', run.model],
    ...[...connectorTraits(shapes)].map(([trait, value]): Row => [trait, value]),
    ['parameters', count(parameters)],
    ['key names', LAYOUT_TITLES[layout]],
    ['begun', new Date(run.createdAt).toISOString().slice(0, 10)],
    ...Object.entries(versions),
  ]
}

function dataRows({ dataset }: RunInfo): Row[] {
  return [
    ['Name', dataset.name],
    ['Rows', count(dataset.rows)],
    ['Left out (missing or broken)', count(dataset.skipped)],
    ['Kept for validation', count(dataset.heldOut.length)],
    ['Fingerprint', `\`${dataset.fingerprint}\``],
  ]
}

function results({ run, log }: ModelCardFacts): string[] {
  const done = log.filter(({ step }) => step <= run.checkpointStep)
  const steps = done.filter((record) => record.type === 'step')
  const rows: Row[] = [['Steps', `${count(run.checkpointStep)} of ${count(run.steps)}`]]
  if (steps.length > 0) {
    const losses = steps.filter(({ skipped }) => !skipped).map(({ loss }) => loss)
    const few = Math.min(LOSS_STEPS, losses.length)
    if (few > 0) {
      rows.push(
        ['Training loss, first step', nats(losses[0])],
        ['Training loss, last step', nats(losses.at(-1))],
        [`Training loss, mean of the last ${few} steps`, nats(mean(losses.slice(-few)))],
      )
    }
    rows.push(
      ['Learned tokens', count(steps.reduce((sum, { learnedTokens }) => sum + learnedTokens, 0))],
      ['Samples', count(steps.reduce((sum, { samples }) => sum + samples, 0))],
    )
    const left = steps.length - losses.length
    if (left > 0) rows.push(['Steps that changed nothing (not finite, or no usable row)', count(left)])
  }
  const evaluations = done.filter((record) => record.type === 'evaluation')
  const [first] = evaluations
  const last = evaluations.at(-1)
  if (first && last) {
    if (first !== last) rows.push([`Validation loss, step ${count(first.step)}`, nats(first.loss)])
    rows.push([`Validation loss, step ${count(last.step)}`, nats(last.loss)])
  }
  return [table(['', ''], rows), 'Losses are means over learned tokens, in nats.', ...captions(done)]
}

function captions(done: readonly LogRecord[]): string[] {
  const all = done.filter((record) => record.type === 'caption')
  const last = all.filter(({ step }) => step === all.at(-1)!.step).slice(0, CAPTIONS)
  if (last.length === 0) return []
  return [
    `What it says about pictures kept for validation, at step ${count(last[0]!.step)}:`,
    table(
      ['Picture', 'It says', 'True caption'],
      last.map(({ image, caption, truth }): Row => [image, caption, truth]),
    ),
  ]
}

function recipeRows({ recipe, startedFrom }: RunInfo, hasSampler: boolean): Row[] {
  return Object.values(RECIPE_ROWS).flatMap((row) => {
    const told = row?.({ ...recipe, startedFrom, hasSampler })
    return told ? [told] : []
  })
}

type RecipeFacts = Recipe & Pick<RunInfo, 'startedFrom'> & { readonly hasSampler: boolean }

const STARTS: Readonly<Record<Recipe['start'], string>> = {
  fresh: 'a new connector',
  checkpoint: "the checkpoint's connector",
  'in-use': 'the connector in use',
}

const ASPECTS: Readonly<Record<Recipe['imageAspectRatio'], string>> = {
  model: 'as the model does for a chat',
  square: "as the tower's processor takes them",
  pad: 'padded to squares',
}

/** How the card tells a recipe's fields, each of which has its place here; undefined where another field's row has it too. */
const RECIPE_ROWS: Readonly<Record<keyof Recipe, ((of: RecipeFacts) => Row | undefined) | undefined>> = {
  name: ({ name }) => ['Recipe', name],
  template: ({ template }) => ['Template', template],
  captionEnd: ({ template, captionEnd }) =>
    template === 'plain' ? ['Caption ends with', captionEnd] : undefined,
  start: ({ start, startedFrom }) => [
    'Starts from',
    startedFrom === undefined ? STARTS[start] : `${STARTS[start]} (${startedFrom})`,
  ],
  imageAspectRatio: ({ imageAspectRatio }) => ['Pictures that are no squares', ASPECTS[imageAspectRatio]],
  learningRate: ({ learningRate }) => ['Learning rate', `${learningRate}`],
  samplerLearningRate: ({ hasSampler, samplerLearningRate }) =>
    hasSampler && samplerLearningRate !== null
      ? ['Learning rate of the vision sampler', `${samplerLearningRate}`]
      : undefined,
  schedule: ({ schedule, warmupRatio }) => [
    'Schedule',
    `${schedule}, warm-up over ${warmupRatio} of the steps`,
  ],
  warmupRatio: undefined,
  beta1: ({ beta1, beta2, epsilon }) => [
    'Optimizer',
    `AdamW, betas ${beta1} and ${beta2}, epsilon ${epsilon}`,
  ],
  beta2: undefined,
  epsilon: undefined,
  weightDecay: ({ weightDecay }) => ['Weight decay', `${weightDecay}`],
  maxGradNorm: ({ maxGradNorm }) => [
    'Gradient norm at most',
    maxGradNorm === 0 ? 'unbounded' : `${maxGradNorm}`,
  ],
  batchSize: ({ batchSize, accumulate }) => [
    'Batch',
    `${batchSize * accumulate} (${batchSize} x ${accumulate} micro-batches)`,
  ],
  accumulate: undefined,
  epochs: ({ steps, epochs }) => ['Length', counted(steps, 'step') ?? counted(epochs, 'epoch')!],
  steps: undefined,
  maxTokens: ({ maxTokens }) => ['Most tokens of a sample', `${maxTokens}`],
  seed: ({ seed }) => ['Seed', `${seed}`],
}

function fileRows(layout: ConnectorLayout): Row[] {
  return [
    [`\`${WEIGHTS_FILE[layout]}\``, 'the weights, float32'],
    ['`config.json`', 'the model around the connector, as far as it is known'],
    ['`recipe.json`', 'the recipe, the data and what ran it'],
    ['`log.jsonl`', 'every step, validation and caption'],
    ['`log.csv`', 'steps and validations as a table'],
  ]
}

type Row = readonly [string, ...string[]]

function table(head: readonly string[], rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(inline).join(' | ')} |`
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n')
}

/** Text that stays in its line and its cell. */
const inline = (text: string) => text.replace(/\s+/g, ' ').replace(/\\?\|/g, '\\|').replace(/</g, '&lt;')

const count = (value: number) => value.toLocaleString('en-US')
const counted = (value: number | null, what: string) =>
  value === null ? undefined : `${count(value)} ${what}${value === 1 ? '' : 's'}`
const nats = (loss: number | undefined) => (loss === undefined ? 'none' : loss.toFixed(4))
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
