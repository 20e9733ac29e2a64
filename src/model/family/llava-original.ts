import { WEIGHT_FILES } from '../checkpoint/checkpoint'
import { ConfigReader, type JsonObject } from '../config-reader'
import { connectors } from '../connector'
import { perRow } from '../connector/rows'
import { languageModels } from '../language'
import { lookUp } from '../registry'
import { BASE } from '../repositories'
import { IMAGE_TOKEN_INDEX } from '../template/chunk-tokens'
import { configureHfTower } from '../vision/hf-tower'
import { baseOf } from './base-model'
import { renameBy, type FamilySlot } from './definition'

/** What LLaVA's code takes where its config has no such field. Source: LLaVA llava_arch.py, multimodal_projector/builder.py. */
const DEFAULTS: JsonObject = {
  mm_projector_type: 'linear',
  mm_vision_select_feature: 'patch',
  mm_use_im_start_end: false,
  mm_patch_merge_type: 'flat',
  image_aspect_ratio: 'square',
}

const LANGUAGE_RULES = [
  [/(^|\.)rotary_emb\.inv_freq$/, undefined],
  [/^model\.(?=layers\.|embed_tokens\.|norm\.)/, 'language.model.'],
  [/^lm_head\./, 'language.lm_head.'],
] as const

const TOWER_PREFIX = /^model\.vision_tower\.vision_tower\./
const CONNECTOR_RULES = [
  [/^(?:model\.)?mm_projector\.0\./, 'connector.linear_1.'],
  [/^(?:model\.)?mm_projector\.2\./, 'connector.linear_2.'],
  [/^(?:model\.)?mm_projector\.(?=weight$|bias$)/, 'connector.linear_1.'],
] as const

/**
 * LLaVA's own checkpoints: a Llama whose config names the tower's repository and the connector's kind. The tower may lie
 * inside; an adapter holds the connector alone, beside a base model.
 *
 * Source: LLaVA model/builder.py, model/llava_arch.py.
 */
export const llavaOriginal: FamilySlot = {
  modelTypes: ['llava_llama', 'llava'],

  async blueprint(config, context) {
    if (!context) throw new Error('llava_llama: needs a context to find the vision tower')
    const json = new ConfigReader(config, 'config.json:', DEFAULTS)
    const language = (await lookUp(languageModels, 'model_type', 'llama')).configure(config, 'config.json:')
    const towerName = json.string('mm_vision_tower')
    const towerConfig = await context.repositories.readJson(towerName, 'config.json')
    const { tower, towerType, rename } = await configureHfTower(
      towerConfig ?? {},
      `${towerName}: config.json:`,
    )

    const { layers, patchTokens, hasClsToken, hiddenSize } = tower.config
    const selectLayer = json.int('mm_vision_select_layer')
    const depth = selectLayer < 0 ? layers + 1 + selectLayer : selectLayer
    if (depth < 0 || depth > layers) {
      json.fail('mm_vision_select_layer', `a hidden state of a tower of ${layers} layers`, selectLayer)
    }
    const dropsFirstRow = json.oneOf('mm_vision_select_feature', { patch: true, cls_patch: false })
    json.oneOf('mm_patch_merge_type', { flat: true })
    const connectorType = json.string('mm_projector_type')
    const rows = patchTokens + (hasClsToken ? 1 : 0)

    const base = baseOf(config, context)

    const renameLanguage = renameBy(LANGUAGE_RULES)
    const renameConnector = renameBy(CONNECTOR_RULES)
    const output = { depth }
    const towerParameter = (key: string) => {
      const name = rename(key, output)
      return name === undefined ? undefined : `vision.${name}`
    }
    return {
      architecture: `llava_llama (${towerType}, ${connectorType}, llama)`,
      language,
      vision: {
        towers: [
          {
            name: towerName,
            prefix: 'vision',
            tower,
            output,
            dropsFirstRow,
            padToSquare: json.oneOf('image_aspect_ratio', { pad: true, square: false }),
            processorRepository: towerName,
            location: towerName,
            ...(towerConfig && { configFile: towerConfig }),
          },
        ],
        connector: perRow(await lookUp(connectors, 'mm_projector_type', connectorType), {
          visionWidth: hiddenSize,
          textWidth: language.config.hiddenSize,
          activation: 'gelu',
          bias: true,
        }),
        imageTokens: dropsFirstRow ? rows - 1 : rows,
        imageTokenId: IMAGE_TOKEN_INDEX,
      },
      rename: (key) =>
        TOWER_PREFIX.test(key)
          ? towerParameter(key.replace(TOWER_PREFIX, ''))
          : /(^|\.)mm_projector\./.test(key)
            ? renameConnector(key)
            : renameLanguage(key),
      weightFiles: [...WEIGHT_FILES, 'mm_projector.bin'],
      repositories: [
        { location: towerName, provides: 'vision.', rename: towerParameter },
        { location: base ?? BASE, provides: 'language.', rename: renameLanguage },
      ],
      tokenizerRepository: base,
      promptStyle: {
        project: 'llava',
        template: defaultTemplate(context.name),
        ...(json.bool('mm_use_im_start_end') && { imageMark: '<im_start><image><im_end>' }),
      },
    }
  },
}

/**
 * The template a model was trained with, told by its name as LLaVA's own scripts do, but vicuna_v1 for all that is
 * called v1 or nothing: LLaVA 1.5 was trained and evaluated with it, while the demo's llava_v1 differs by a word.
 *
 * Source: LLaVA eval/run_llava.py, scripts/v1_5.
 */
function defaultTemplate(name: string): string {
  const rules: readonly [RegExp, string][] = [
    [/llama-2/i, 'llava_llama_2'],
    [/mistral/i, 'mistral_instruct'],
    [/v1\.6-34b/i, 'chatml_direct'],
    [/v1/i, 'vicuna_v1'],
    [/mpt/i, 'mpt'],
    [/v0/i, 'llava_v0'],
  ]
  return rules.find(([pattern]) => pattern.test(name))?.[1] ?? 'vicuna_v1'
}
