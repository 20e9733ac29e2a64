import { ACTIVATIONS } from '../activations'
import { ConfigReader, type JsonObject } from '../config-reader'
import { connectors } from '../connector'
import { perRow } from '../connector/rows'
import { languageModels } from '../language'
import { lookUp } from '../registry'
import { visionTowers } from '../vision'
import { renameBy, type FamilySlot } from './definition'

/** Values that transformers' LlavaConfig leaves out of files. */
const DEFAULTS: JsonObject = {
  vision_feature_layer: -2,
  vision_feature_select_strategy: 'default',
  image_token_index: 32000,
  projector_hidden_act: 'gelu',
  multimodal_projector_bias: true,
  tie_word_embeddings: false,
}

/**
 * Where keys of each spelling lie: files saved before transformers 4.52, files saved since, and LLaVA's own.
 * Tower keys come with or without the `vision_model.` level.
 */
const KEY_RULES = [
  [/(^|\.)rotary_emb\.inv_freq$/, undefined],
  [/(^|\.)embeddings\.position_ids$/, undefined],
  [/^(model\.)?image_newline$/, undefined],
  // Blocks beyond the selected layer, the final norm and the pooling head never run.
  [
    /^(?:model\.)?vision_tower\.(?:vision_tower\.)?(?:vision_model\.)?(?:post_layernorm|head)\..*$/,
    undefined,
  ],
  [/^(?:model\.)?vision_tower\.(?:vision_tower\.)?(?:vision_model\.)?/, 'vision.'],
  [/^(?:model\.)?multi_modal_projector\./, 'connector.'],
  [/^model\.mm_projector\.0\./, 'connector.linear_1.'],
  [/^model\.mm_projector\.2\./, 'connector.linear_2.'],
  [/^model\.mm_projector\.(?=weight$|bias$)/, 'connector.linear_1.'],
  [/^language_model\./, 'language.'],
  [/^model\.language_model\./, 'language.model.'],
  [/^lm_head\./, 'language.lm_head.'],
  [/^model\.(?=layers\.|embed_tokens\.|norm\.)/, 'language.model.'],
] as const

/** Hugging Face's `llava`: one tower, a projector, a decoder. Source: transformers LlavaForConditionalGeneration. */
export const llava: FamilySlot = {
  modelTypes: ['llava'],

  async blueprint(config, context) {
    // LLaVA's own checkpoints have the same model_type; their config is flat and names the tower's repository.
    if (config['text_config'] === undefined && config['mm_vision_tower'] !== undefined) {
      return (await import('./llava-original')).llavaOriginal.blueprint(config, context)
    }
    const json = new ConfigReader(config, 'config.json:', DEFAULTS)
    const textJson = json.section('text_config')
    const visionJson = json.section('vision_config')
    const textType = textJson.string('model_type')
    const visionType = visionJson.string('model_type')
    const textConfig: JsonObject = { ...(config['text_config'] as JsonObject) }
    if (json.bool('tie_word_embeddings')) textConfig['tie_word_embeddings'] = true
    const language = (await lookUp(languageModels, 'text_config.model_type', textType)).configure(
      textConfig,
      textJson.where,
    )
    const tower = (await lookUp(visionTowers, 'vision_config.model_type', visionType)).configure(
      config['vision_config'] as JsonObject,
      visionJson.where,
    )

    const layers = tower.config.layers
    const featureLayer = json.int('vision_feature_layer')
    const depth = featureLayer < 0 ? layers + 1 + featureLayer : featureLayer
    if (depth < 0 || depth > layers) {
      json.fail('vision_feature_layer', `a hidden state of a tower of ${layers} layers`, featureLayer)
    }
    // `default` cuts the first row of every tower, even one without a class token, as the reference does.
    const dropsFirstRow = json.oneOf('vision_feature_select_strategy', { default: true, full: false })
    const rows = tower.config.patchTokens + (tower.config.hasClsToken ? 1 : 0)
    const connectorType = json.has('mm_projector_type') ? json.string('mm_projector_type') : 'mlp2x_gelu'
    const imageTokenName = json.has('image_token_id') ? 'image_token_id' : 'image_token_index'
    const rename = renameBy(KEY_RULES)
    return {
      architecture: `llava (${visionType}, ${connectorType}, ${textType})`,
      language,
      vision: {
        towers: [
          {
            name: visionType,
            prefix: 'vision',
            tower,
            output: { depth },
            dropsFirstRow,
            // As transformers 5 does by default.
            resizeLibrary: 'torchvision',
          },
        ],
        connector: perRow(await lookUp(connectors, 'mm_projector_type', connectorType), {
          visionWidth: tower.config.hiddenSize,
          textWidth: language.config.hiddenSize,
          activation: json.oneOf('projector_hidden_act', ACTIVATIONS),
          bias: json.bool('multimodal_projector_bias'),
        }),
        imageTokens: dropsFirstRow ? rows - 1 : rows,
        imageTokenId: json.int(imageTokenName),
      },
      rename(key) {
        const name = rename(key)
        const block = name && /^vision\.encoder\.layers\.(\d+)\./.exec(name)
        return block && Number(block[1]) >= depth && Number(block[1]) < layers ? undefined : name
      },
    }
  },
}
