import { openCheckpoint, type Checkpoint } from './checkpoint/checkpoint'
import { matchTensors } from './checkpoint/match'
import type { TensorEntry } from './checkpoint/safetensors'
import type { CheckpointSource } from './checkpoint/source'
import { parseConfigFile, type JsonObject } from './config-reader'
import { ConfigError } from './errors'
import { families } from './family'
import { blueprintSpecs, tiedParameters, type Blueprint } from './family/definition'
import type { ParameterSpecs } from './parameters'
import { lookUp } from './registry'

/** Everything known about a model before the first weight is fetched. */
export interface OpenedModel {
  readonly source: CheckpointSource
  readonly config: JsonObject
  readonly blueprint: Blueprint
  readonly specs: ParameterSpecs
  readonly checkpoint: Checkpoint
  /** The tensor of every parameter but the tied ones. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Parameter -> the parameter whose weights it shares. */
  readonly tied: Readonly<Record<string, string>>
  /** Small files by name; undefined where the checkpoint has none. */
  readonly files: Readonly<Record<SmallFile, JsonObject | undefined>>
  /** The chat template of chat_template.jinja, where there is one. */
  readonly jinjaTemplate: string | undefined
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

/**
 * Reads the configs and the weights' headers, and finds the tensor of every parameter.
 *
 * Throws: ConfigError for an unknown or damaged config, CheckpointError where the weights do not match it.
 */
export async function openModel(
  source: CheckpointSource,
  options: { signal?: AbortSignal; onFile?: (file: string) => void } = {},
): Promise<OpenedModel> {
  const { signal, onFile } = options
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
  const blueprint = await (await lookUp(families, 'model_type', type)).blueprint(config)

  const files = {} as Record<SmallFile, JsonObject | undefined>
  for (const file of SMALL_FILES) {
    const text = await read(file)
    files[file] = text === undefined ? undefined : parseConfigFile(text, file)
  }
  const jinjaTemplate = await read('chat_template.jinja')

  const checkpoint = await openCheckpoint(source, { signal, onFile })
  const specs = blueprintSpecs(blueprint)
  const tied = tiedParameters(blueprint)
  const tensors = matchTensors({
    expected: Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, shape])),
    tensors: checkpoint.tensors,
    rename: (key) => blueprint.rename(key),
    tied,
    where: source.name,
  })
  const shared = Object.fromEntries(Object.entries(tied).filter(([name]) => !tensors.has(name)))
  return { source, config, blueprint, specs, checkpoint, tensors, tied: shared, files, jinjaTemplate }
}
