import { ConfigReader, type JsonObject } from '../config-reader'
import { lookUp } from '../registry'
import type { TowerInput } from './definition'
import { visionTowers } from './index'
import { towerRename, type TowerRepository } from './tower-repository'

/** Keys of the models that towers are parts of, and of what was trained on top. */
const NOT_THE_TOWER =
  /^(?:text_model|text_projection|visual_projection|classifier)\.|^(?:text_projection|logit_scale|logit_bias)$/
/** The level above a tower that is part of another model. */
const ABOVE = /^(?:vision_model|dinov2|convnext)\./

/** DINOv2's attention in the newest spelling of transformers (5.18), and as published checkpoints have it. */
const ATTENTION = /^(encoder\.layer\.\d+\.attention)\.([qkvo])_proj\./
const ATTENTION_NAMES: Readonly<Record<string, string>> = {
  q: 'attention.query',
  k: 'attention.key',
  v: 'attention.value',
  o: 'output.dense',
}

/**
 * The tower of a Hugging Face repository, from its config.json: a vision model alone, or the vision half of a CLIP.
 *
 * Throws: ConfigError for an unknown kind, or where the tower cannot take the input.
 */
export async function configureHfTower(
  config: JsonObject,
  where: string,
  input: TowerInput = {},
): Promise<TowerRepository> {
  const json = new ConfigReader(config, where)
  const nested = json.optionalObject('vision_config')
  const own = nested?.['model_type']
  const type = json.string('model_type')
  const towerType = typeof own === 'string' ? own : nested ? `${type}_vision_model` : type
  const slot = await lookUp(visionTowers, `${where} vision tower`, towerType)
  const tower = slot.configure(nested ?? config, nested ? `${where} vision_config` : where, input)
  const below = (key: string) =>
    NOT_THE_TOWER.test(key)
      ? undefined
      : key
          .replace(ABOVE, '')
          .replace(ATTENTION, (_, block: string, part: string) => `${block}.${ATTENTION_NAMES[part]}.`)
  return { tower, towerType, rename: towerRename(tower, below) }
}
