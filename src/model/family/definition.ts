import type { JsonObject } from '../config-reader'
import { ConfigError } from '../errors'
import type { ConfiguredConnector } from '../connector/definition'
import type { ImageProcessor } from '../image/processor'
import type { ResizeLibrary } from '../image/resize'
import type { ConfiguredLanguageModel } from '../language/definition'
import { under, type ParameterSpecs } from '../parameters'
import type { Repositories } from '../repositories'
import type { TemplateProject } from '../template'
import type { ConfiguredTower, TowerOutput } from '../vision/definition'

/** One vision tower of a model. */
export interface TowerBlueprint {
  /** For people: its `model_type`, or its name in the config. */
  readonly name: string
  /** Of its parameters: `vision`, or `vision.0` and on where there are several. */
  readonly prefix: string
  readonly tower: ConfiguredTower
  readonly output: TowerOutput
  /** The select strategy leaves out a picture's first row (the class token, where the tower has one). */
  readonly dropsFirstRow: boolean
  /** Rows its square map is resampled to; as they come where undefined. */
  readonly tokens?: number
  /** What is done to pictures; where undefined, preprocessor_config.json tells. */
  readonly processor?: ImageProcessor
  /** Repository whose preprocessor_config.json counts; the checkpoint itself where undefined. */
  readonly processorRepository?: string
  /** Repository with the files of a tower that another engine runs; the checkpoint itself where undefined. */
  readonly location?: string
  /** config.json of its own repository, where a connector's export needs it beside the model's own. */
  readonly configFile?: JsonObject
  /** Pictures are centred on a square before their processor sees them (`image_aspect_ratio: pad`). */
  readonly padToSquare?: boolean
  /** What pictures are resized with where a file describes the processor; default: PIL. */
  readonly resizeLibrary?: ResizeLibrary
}

/** How pictures enter a model. */
export interface VisionBlueprint {
  readonly towers: readonly TowerBlueprint[]
  readonly connector: ConfiguredConnector
  /** Rows a picture takes in the prompt; the most where they follow its shape. */
  readonly imageTokens: number
  /** Id that marks each of those rows in the tokenised prompt; below zero where the tokenizer has no such token. */
  readonly imageTokenId: number
  /** Where the project's code takes the first picture's rows to stand, whatever the prompt. */
  readonly imagePosition?: number
}

/** Weights that lie in a repository beside the checkpoint's own. */
export interface RepositoryWeights {
  /** `owner/name`, a folder of the checkpoint (`./...`), or BASE. */
  readonly location: string
  /** Parameters it may give, by their prefix; it is opened only where one of them is nowhere before. */
  readonly provides: string
  /** As Blueprint.rename. */
  rename(key: string): string | undefined
  /** Names of its weight files where they are not the usual ones. */
  readonly weightFiles?: readonly string[]
}

/** How conversations become prompts, where that is the project's matter and not the tokenizer's. */
export interface PromptStyle {
  readonly project: TemplateProject
  /** Chat template where none is asked for. */
  readonly template: string
  /** Templates by a token of theirs: the first that the tokenizer has goes before `template`. */
  readonly templateByToken?: readonly (readonly [token: string, template: string])[]
  /** What stands for a picture in templates, `<image>` by default. */
  readonly imageMark?: string
}

/** A checkpoint's config.json understood: which parts make the model and where their weights lie. */
export interface Blueprint {
  /** For people: `llava (clip_vision_model, mlp2x_gelu, llama)`. */
  readonly architecture: string
  readonly language: ConfiguredLanguageModel
  /** Undefined for a text-only model. */
  readonly vision: VisionBlueprint | undefined
  /** Our parameter for a checkpoint's key; undefined for keys known to be of no use; unknown keys come back unchanged. */
  rename(key: string): string | undefined
  /** Names of weight files where they are not the usual ones. */
  readonly weightFiles?: readonly string[]
  /** Other repositories with weights of this model, in the order they are asked. */
  readonly repositories?: readonly RepositoryWeights[]
  /** Repository whose tokenizer serves where the checkpoint brings none, as an adapter. */
  readonly tokenizerRepository?: string | undefined
  /** Tokens that the project's code cuts conversations to; nobody need ask for more. */
  readonly contextLength?: number
  /** Undefined where the tokenizer knows pictures and brings the chat template. */
  readonly promptStyle?: PromptStyle
}

/** What a family may look at beside config.json. */
export interface FamilyContext {
  /** The checkpoint's name as people know it. */
  readonly name: string
  readonly repositories: Repositories
}

/** A checkpoint layout; one file each. */
export interface FamilySlot {
  readonly modelTypes: readonly string[]
  /** A layout whose checkpoints refer to others needs the context. */
  blueprint(config: JsonObject, context?: FamilyContext): Promise<Blueprint>
}

/**
 * Every parameter of the model: `vision.`, `connector.` and `language.`.
 *
 * Throws: ConfigError where the config's numbers, each possible, make a parameter that is none.
 */
export function blueprintSpecs({ vision, language }: Blueprint): ParameterSpecs {
  const specs: ParameterSpecs = {
    ...Object.assign(
      {},
      ...(vision?.towers ?? []).map(({ prefix, tower, output }) => under(prefix, tower.params(output))),
    ),
    ...(vision && under('connector', vision.connector.params())),
    ...under('language', language.params()),
  }
  for (const [name, { shape }] of Object.entries(specs)) {
    if (shape.every((dim) => Number.isSafeInteger(dim) && dim > 0)) continue
    throw new ConfigError(
      `config.json: its numbers make ${name} a tensor of shape [${shape.join(', ')}], expected whole numbers above 0. ` +
        'The checkpoint may be damaged or of a kind that is not supported.',
    )
  }
  return specs
}

/** Parameters that share another's tensor where the checkpoint leaves them out. */
export function tiedParameters({ language }: Blueprint): Record<string, string> {
  return language.config.tiedEmbeddings
    ? { 'language.lm_head.weight': 'language.model.embed_tokens.weight' }
    : {}
}

/** Renames by the first rule whose pattern matches; `undefined` as replacement marks keys of no use. */
export function renameBy(
  rules: readonly (readonly [RegExp, string | undefined])[],
): (key: string) => string | undefined {
  return (key) => {
    for (const [pattern, replacement] of rules) {
      if (pattern.test(key)) return replacement === undefined ? undefined : key.replace(pattern, replacement)
    }
    return key
  }
}
