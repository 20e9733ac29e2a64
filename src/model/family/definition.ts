import type { JsonObject } from '../config-reader'
import type { ConnectorConfig, ConnectorSlot } from '../connector/definition'
import type { ConfiguredLanguageModel } from '../language/definition'
import { under, type ParameterSpecs } from '../parameters'
import type { ConfiguredTower } from '../vision/definition'

/** How pictures enter a model. */
export interface VisionBlueprint {
  readonly tower: ConfiguredTower
  /** Blocks of the tower that run: the features are hidden_states[depth]. */
  readonly depth: number
  /** The select strategy leaves out a picture's first row (the class token, where the tower has one). */
  readonly dropsFirstRow: boolean
  readonly connector: ConnectorSlot
  readonly connectorConfig: ConnectorConfig
  /** Rows a picture takes in the prompt. */
  readonly imageTokens: number
  /** Id that marks each of those rows in the tokenised prompt. */
  readonly imageTokenId: number
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
}

/** A checkpoint layout; one file each. */
export interface FamilySlot {
  readonly modelTypes: readonly string[]
  blueprint(config: JsonObject): Promise<Blueprint>
}

/** Every parameter of the model: `vision.`, `connector.` and `language.`. */
export function blueprintSpecs({ vision, language }: Blueprint): ParameterSpecs {
  return {
    ...(vision && under('vision', vision.tower.params(vision.depth))),
    ...(vision && under('connector', vision.connector.params(vision.connectorConfig))),
    ...under('language', language.params()),
  }
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
