import { openCheckpoint, type Checkpoint } from './checkpoint/checkpoint'
import { TensorMatching } from './checkpoint/match'
import type { TensorEntry } from './checkpoint/safetensors'
import type { CheckpointSource } from './checkpoint/source'
import { parseConfigFile, type JsonObject } from './config-reader'
import { ConfigError } from './errors'
import { families } from './family'
import { blueprintSpecs, tiedParameters, type Blueprint, type TowerBlueprint } from './family/definition'
import { parseImageProcessor, type ImageProcessor } from './image/processor'
import { encoderSizes } from './onnx/read-encoder'
import type { ParameterSpecs } from './parameters'
import { Repositories, type ResolveRepository } from './repositories'
import { lookUp } from './registry'

/** Everything known about a model before the first weight is fetched. */
export interface OpenedModel {
  readonly source: CheckpointSource
  readonly config: JsonObject
  readonly blueprint: Blueprint
  readonly specs: ParameterSpecs
  /** The checkpoint's own weights first, then those of the repositories it refers to. */
  readonly checkpoints: readonly Checkpoint[]
  /** Files of towers that another engine runs, by the tower's index. */
  readonly externals: ReadonlyMap<number, ExternalFiles>
  /** The tensor of every parameter but the tied ones. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Parameter -> the parameter whose weights it shares. */
  readonly tied: Readonly<Record<string, string>>
  /** Small files by name; undefined where the checkpoint has none. */
  readonly files: Readonly<Record<SmallFile, JsonObject | undefined>>
  /** What is done to pictures, for each tower. */
  readonly processors: readonly ImageProcessor[]
  /** The chat template of chat_template.jinja, where there is one. */
  readonly jinjaTemplate: string | undefined
}

/** Files that are read whole. */
export interface ExternalFiles {
  readonly source: CheckpointSource
  readonly files: readonly { path: string; sizeBytes: number }[]
}

const SMALL_FILES = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'chat_template.json',
] as const
export type SmallFile = (typeof SMALL_FILES)[number]
/** What comes from an adapter's base. */
const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'] as const

export interface OpenModelOptions {
  signal?: AbortSignal | undefined
  onFile?: ((file: string) => void) | undefined
  /** Finds repositories that the config refers to. */
  resolve?: ResolveRepository | undefined
  /** The model an adapter was trained on. */
  base?: CheckpointSource | undefined
}

/**
 * Reads the configs and the weights' headers, and finds the tensor of every parameter.
 *
 * Throws: ConfigError for an unknown or damaged config, CheckpointError where the weights do not match it.
 */
export async function openModel(
  source: CheckpointSource,
  options: OpenModelOptions = {},
): Promise<OpenedModel> {
  const { signal, onFile } = options
  const repositories = new Repositories(source, options)
  const read = async (path: string) => {
    onFile?.(path)
    return source.readText(path, { signal })
  }
  const configText = await read('config.json')
  if (configText === undefined) {
    throw new ConfigError(
      `${source.name}: config.json was not found. Check the name; the folder must be a model checkpoint in Hugging Face's layout.`,
    )
  }
  const config = parseConfigFile(configText, 'config.json')
  const type = config['model_type']
  if (typeof type !== 'string') {
    throw new ConfigError(
      'config.json: model_type should be a string but is missing. Choose a checkpoint whose config names its type.',
    )
  }
  const blueprint = await (
    await lookUp(families, 'model_type', type)
  ).blueprint(config, { name: source.name, repositories })

  const files = {} as Record<SmallFile, JsonObject | undefined>
  for (const file of SMALL_FILES) {
    const text = await read(file)
    files[file] = text === undefined ? undefined : parseConfigFile(text, file)
  }
  const { tokenizerRepository } = blueprint
  if (tokenizerRepository !== undefined && files['tokenizer.json'] === undefined) {
    for (const file of TOKENIZER_FILES) files[file] ??= await repositories.readJson(tokenizerRepository, file)
  }
  const processors: ImageProcessor[] = []
  const externals = new Map<number, ExternalFiles>()
  for (const [i, tower] of (blueprint.vision?.towers ?? []).entries()) {
    processors.push(await processorOf(tower, source.name, files, repositories))
    const { external } = tower.tower
    if (!external) continue
    const from = tower.location === undefined ? source : await repositories.find(tower.location)
    const sizes = await encoderSizes(from, external.files, signal)
    externals.set(i, { source: from, files: sizes.map(({ path, bytes }) => ({ path, sizeBytes: bytes })) })
  }
  const jinjaTemplate = await read('chat_template.jinja')

  const specs = blueprintSpecs(blueprint)
  const tied = tiedParameters(blueprint)
  const opened = await openWeights(source, blueprint, { specs, tied, repositories, signal, onFile })
  const shared = Object.fromEntries(Object.entries(tied).filter(([name]) => !opened.tensors.has(name)))
  return {
    source,
    config,
    blueprint,
    specs,
    ...opened,
    tied: shared,
    files,
    processors,
    externals,
    jinjaTemplate,
  }
}

/** The config decides, then the tower's repository, then the checkpoint. */
async function processorOf(
  { processor, processorRepository, padToSquare, resizeLibrary }: TowerBlueprint,
  name: string,
  files: OpenedModel['files'],
  repositories: Repositories,
): Promise<ImageProcessor> {
  if (processor) return processor
  const file = 'preprocessor_config.json'
  const own =
    processorRepository === undefined ? undefined : await repositories.readJson(processorRepository, file)
  const json = own ?? files[file] ?? files['processor_config.json']
  if (!json) {
    throw new ConfigError(
      `${name}: ${file} was not found; it says how pictures are resized. Add it to the checkpoint.`,
    )
  }
  const parsed = parseImageProcessor(json, resizeLibrary)
  return padToSquare ? { ...parsed, padToSquare } : parsed
}

/** Finds every parameter's tensor, in the checkpoint first and then in the repositories it refers to. */
async function openWeights(
  source: CheckpointSource,
  blueprint: Blueprint,
  options: {
    specs: ParameterSpecs
    tied: Readonly<Record<string, string>>
    repositories: Repositories
    signal: AbortSignal | undefined
    onFile: ((file: string) => void) | undefined
  },
): Promise<Pick<OpenedModel, 'checkpoints' | 'tensors'>> {
  const { specs, tied, repositories, signal, onFile } = options
  const expected = Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, shape]))
  const matching = new TensorMatching(expected, tied)
  const own = await openCheckpoint(source, { signal, onFile, weightFiles: blueprint.weightFiles })
  matching.add(own.tensors, (key) => blueprint.rename(key))
  const checkpoints = [own]
  for (const repository of blueprint.repositories ?? []) {
    if (matching.missing(repository.provides).length === 0) continue
    const other = await repositories.find(repository.location)
    const checkpoint = await openCheckpoint(other, {
      signal,
      onFile,
      weightFiles: repository.weightFiles,
    })
    // Whatever else it holds is another model's: only parameters asked of it count.
    matching.add(checkpoint.tensors, (key) => {
      const name = repository.rename(key)
      return name?.startsWith(repository.provides) ? name : undefined
    })
    checkpoints.push(checkpoint)
  }
  const tensors = matching.finish(source.name)
  for (const [name, owner] of Object.entries(tied)) {
    if (isSameBytes(checkpoints, tensors.get(name), tensors.get(owner))) tensors.delete(name)
  }
  return { checkpoints, tensors }
}

/** Files a model is fetched from. Of repositories it merely refers to, only the tensors it needs count. */
export function filesToFetch({
  checkpoints,
  tensors,
  externals,
}: Pick<OpenedModel, 'checkpoints' | 'tensors' | 'externals'>): {
  path: string
  sizeBytes: number
}[] {
  const wanted = new Set(tensors.values())
  const whole = [...externals.values()].flatMap(({ source, files }) =>
    files.map(({ path, sizeBytes }) => ({ path: `${source.name}/${path}`, sizeBytes })),
  )
  const weights = checkpoints.flatMap(({ source, files, tensors: held }, i) => {
    if (i === 0) return files.map(({ path, sizeBytes }) => ({ path, sizeBytes }))
    return files.flatMap(({ path }) => {
      const inFile = [...held.values()].filter((entry) => entry.file === path && wanted.has(entry))
      const sizeBytes = inFile.reduce((sum, { start, end }) => sum + end - start, 0)
      return sizeBytes ? [{ path: `${source.name}/${path}`, sizeBytes }] : []
    })
  })
  return [...weights, ...whole]
}

/** Pickles store tied tensors under each of their names, on the same bytes. */
function isSameBytes(
  checkpoints: readonly Checkpoint[],
  a: TensorEntry | undefined,
  b: TensorEntry | undefined,
): boolean {
  if (!a || !b || a.file !== b.file || a.start !== b.start || a.end !== b.end) return false
  return checkpoints.some(({ tensors }) => tensors.get(a.name) === a && tensors.get(b.name) === b)
}
