import type { ChatModel } from '../chat-model'
import type { JsonObject } from '../config-reader'
import { TrainingError } from '../errors'
import { fingerprintOf } from './dataset/fingerprint'
import { IGNORED, type Dataset, type Recipe, type RunInfo, type Utterance } from './definition'
import type { RunRows } from './run-rows'
import { modelFingerprints } from './weights-identity'

/** What a run's numbers depend on beside its recipe and its checkpoint: it must be the same when the run goes on. */
export interface RunIdentity {
  /** How the model is held. */
  readonly dtype: string
  readonly towerDtype: string
  /** config.json of the model; also for exports while another one is loaded. */
  readonly modelConfig: JsonObject
  /** config.json of its vision tower, where that lies in a repository of its own; for exports alone. */
  readonly towerConfig?: JsonObject
  /** Fingerprint of the model's weight files. */
  readonly weights: string
  /** Fingerprint of how words become tokens and labels. */
  readonly supervision: string
  /** Fingerprint of what is done to pictures. */
  readonly preprocessing: string
  /** Fingerprint of the held-out rows that came along; absent where rows of the data itself validate. */
  readonly heldOutData?: string
  /** Fingerprint of the rows that can be used, as RunRows has it. */
  readonly rows: string
}

type IdentifiedModel = Pick<ChatModel, 'opened' | 'plan' | 'tokenizer'>

export async function identityOf(
  model: IdentifiedModel,
  dataset: Dataset,
  recipe: Recipe,
  rows: RunRows,
): Promise<RunIdentity> {
  const [tower] = model.opened.blueprint.vision?.towers ?? []
  return {
    ...(await modelIdentity(model, recipe)),
    ...(tower?.configFile && { towerConfig: tower.configFile }),
    ...dataIdentity(dataset),
    rows: rows.fingerprint,
  }
}

/** Throws: TrainingError where a run began with another model, or with one that was loaded otherwise. */
export async function expectSameModel(
  run: RunInfo,
  identity: RunIdentity,
  model: IdentifiedModel,
): Promise<void> {
  const now = await modelIdentity(model, run.recipe)
  expectNamed('model', run.model, model.opened.source.name, 'Load that model first.')
  expectNamed('precision', identity.dtype, now.dtype, 'Load the model in that precision first.')
  expectNamed(
    'precision of the vision towers',
    identity.towerDtype,
    now.towerDtype,
    'Load the model with as much memory as it had then.',
  )
  const { modelConfig, weights, supervision, preprocessing } = now
  expectSame(
    `config.json of ${run.model}`,
    JSON.stringify(identity.modelConfig) === JSON.stringify(modelConfig),
    'Load the revision of the model that it began with.',
  )
  expectSame(
    `weights of ${run.model}`,
    identity.weights === weights,
    'Load the model that it began with; another one may have the same name.',
  )
  expectSame(
    'chat template and the tokenizer',
    identity.supervision === supervision,
    'Load the model with the template that it began with.',
  )
  expectSame(
    'preprocessing of pictures',
    identity.preprocessing === preprocessing,
    'Load the revision of the model that it began with.',
  )
}

/** Throws: TrainingError where a run began with rows of other data. */
export function expectSameData({ dataset: known }: RunInfo, identity: RunIdentity, dataset: Dataset): void {
  expectNamed(
    'data',
    known.fingerprint,
    dataset.fingerprint,
    `Give the same data again (${known.name}, ${known.rows} rows).`,
  )
  // Other rows would be kept from training, and the order would be another.
  const own = 'a part of the data itself'
  expectNamed(
    'held-out data',
    identity.heldOutData ?? own,
    dataIdentity(dataset).heldOutData ?? own,
    'Give the same held-out data again.',
  )
}

/** Throws: TrainingError where other rows of the same data can be used than when a run began: pictures came or went. */
export function expectSameRows({ dataset: known }: RunInfo, identity: RunIdentity, rows: RunRows): void {
  if (identity.rows === rows.fingerprint) return
  const usable = (skipped: number) => `${known.rows - skipped} of ${known.rows} rows`
  throw new TrainingError(
    `train: expected the rows that this run began with to be usable (${usable(known.skipped - (known.unusable?.length ?? 0))}), ` +
      `got others (${usable(rows.skipped.length)}). Put back the pictures that are missing, and take away new ones.`,
  )
}

async function modelIdentity({ opened, plan, tokenizer }: IdentifiedModel, recipe: Recipe) {
  return {
    dtype: plan.dtype,
    towerDtype: plan.towerDtype,
    modelConfig: opened.config,
    weights: await fingerprintOf(await modelFingerprints(opened)),
    supervision: await supervisionOf({ opened, tokenizer }, recipe),
    preprocessing: await fingerprintOf([JSON.stringify(opened.processors)]),
  }
}

const dataIdentity = ({ heldOut }: Dataset) => (heldOut ? { heldOutData: heldOut.fingerprint } : {})

const say = (from: Utterance['from'], value: string): Utterance => ({ from, value })
const ONE_TURN = [say('human', '<image>\nWhat is this?'), say('gpt', 'A trilobite, 500 million years old.')]
const TWO_TURNS = [...ONE_TURN, say('human', 'Where did it live?'), say('gpt', 'In the sea.')]

/** What becomes of two conversations; nothing but that tells a template chosen on loading from the checkpoint's own. */
function supervisionOf(
  { opened, tokenizer }: Pick<IdentifiedModel, 'opened' | 'tokenizer'>,
  recipe: Recipe,
): Promise<string> {
  const { jinjaTemplate, files } = opened
  const own = [jinjaTemplate, files['chat_template.json'], files['tokenizer_config.json']]
  // A template that tells today's date would be another one tomorrow: what is learned stays the same.
  const tellsDate = JSON.stringify(own).includes('strftime_now')
  const told = [ONE_TURN, TWO_TURNS].map((conversation) => {
    try {
      const { ids, labels } = tokenizer.supervise(conversation, recipe)
      return tellsDate ? labels.filter((label) => label !== IGNORED) : [ids, labels]
    } catch (error) {
      // Some templates take one turn only.
      return (error as Error).message
    }
  })
  return fingerprintOf([JSON.stringify(told)])
}

function expectNamed(what: string, expected: string, came: string, advice: string): void {
  if (expected === came) return
  throw new TrainingError(`train: this run's ${what} was ${expected}, but now it is ${came}. ${advice}`)
}

function expectSame(what: string, isSame: boolean, advice: string): void {
  if (isSame) return
  throw new TrainingError(`train: expected the ${what} as when this run began, got another. ${advice}`)
}
