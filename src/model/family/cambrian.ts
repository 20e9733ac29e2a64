import { WEIGHT_FILES } from '../checkpoint/checkpoint'
import { ConfigReader, type Json, type JsonObject } from '../config-reader'
import { rowConnector } from '../connector'
import type { ConfiguredConnector } from '../connector/definition'
import { languageModels } from '../language'
import { lookUp } from '../registry'
import { BASE } from '../repositories'
import { IMAGE_TOKEN_INDEX } from '../template/chunk-tokens'
import { baseOf } from './base-model'
import { cambrianTower } from './cambrian-towers'
import {
  renameBy,
  type Blueprint,
  type FamilySlot,
  type PromptStyle,
  type TowerBlueprint,
} from './definition'

/** What Cambrian's code takes where its config has no such field. Source: cambrian/model/cambrian_arch.py. */
const DEFAULTS: JsonObject = {
  mm_projector_type: 'linear',
  mm_vision_select_layer: -1,
  mm_vision_select_feature: 'patch',
  mm_use_im_start_end: false,
  image_aspect_ratio: 'square',
}

const LANGUAGE_TYPES: Readonly<Record<string, string>> = {
  cambrian_llama: 'llama',
  cambrian_phi3: 'phi3',
  cambrian_mistral: 'mistral',
}

const KEY_RULES = [
  [/(^|\.)rotary_emb\.inv_freq$/, undefined],
  [/^model\.(?=layers\.|embed_tokens\.|norm\.)/, 'language.model.'],
  [/^lm_head\./, 'language.lm_head.'],
  [
    /^model\.(?=vision_query$|image_newline$|mm_projector\.|mm_projector_aux_\d|vision_sampler_\d|vision_sampler_layers\.)/,
    'connector.',
  ],
] as const

/** Heads of every sampler: a constant of Cambrian's code. */
const SAMPLER_HEADS = 16

/**
 * Cambrian-1: several vision towers in repositories of their own, joined by the Spatial Vision Aggregator, whose layers
 * also stand inside the language model.
 *
 * Source: Tong et al. 2024, arXiv:2406.16860; cambrian/model/{cambrian_arch,vision_sampler,language_model/*}.py.
 */
export const cambrian: FamilySlot = {
  modelTypes: Object.keys(LANGUAGE_TYPES),

  async blueprint(config, context): Promise<Blueprint> {
    if (!context) throw new Error('cambrian: needs a context to find the vision towers')
    const json = new ConfigReader(config, 'config.json:', DEFAULTS)
    const languageType = json.oneOf('model_type', LANGUAGE_TYPES)
    const language = (await lookUp(languageModels, 'model_type', languageType)).configure(
      config,
      'config.json:',
    )
    json.oneOf('image_aspect_ratio', { pad: true })
    json.oneOf('mm_vision_select_feature', { patch: true })
    const imageTokens = square(json, 'image_token_len', json.size('image_token_len'))
    const names = list(
      json,
      'mm_vision_tower_aux_list',
      'names of vision towers',
      (v) => typeof v === 'string',
    )
    const lengths = sizes(json, 'mm_vision_tower_aux_token_len_list')
    if (lengths.length !== names.length) {
      json.fail('mm_vision_tower_aux_token_len_list', `${names.length} numbers, one a tower`, lengths)
    }
    lengths.forEach((tokens) => square(json, 'mm_vision_tower_aux_token_len_list', tokens))
    const found = []
    for (const [t, name] of names.entries()) {
      found.push(
        await cambrianTower(name as string, context, {
          prefix: `vision.${t}`,
          tokens: lengths[t]!,
          selectLayer: json.int('mm_vision_select_layer'),
        }),
      )
    }
    const towers = found.map(({ blueprint }) => blueprint)
    const connectorType = json.string('mm_projector_type')
    const connector = await configureConnector(json, connectorType, {
      towers,
      lengths,
      imageTokens,
      textWidth: language.config.hiddenSize,
      layers: language.config.layers,
    })
    const base = baseOf(config, context)
    const rename = renameBy(KEY_RULES)
    const side = Math.sqrt(imageTokens)
    return {
      architecture: `${json.string('model_type')} (${names.join(' + ')}, ${connectorType}, ${languageType})`,
      language,
      vision: {
        towers,
        connector,
        imageTokens: side * (side + 1),
        imageTokenId: IMAGE_TOKEN_INDEX,
        ...(json.has('image_position') && { imagePosition: json.int('image_position') }),
      },
      rename,
      weightFiles: [...WEIGHT_FILES, 'mm_projector.bin'],
      repositories: [
        ...found.map(({ repository }) => repository),
        { location: base ?? BASE, provides: 'language.', rename },
      ],
      ...(json.has('tokenizer_model_max_length') && {
        contextLength: json.size('tokenizer_model_max_length'),
      }),
      tokenizerRepository: base,
      promptStyle: {
        project: 'cambrian',
        ...defaultTemplate(languageType, context.name),
        ...(json.bool('mm_use_im_start_end') && { imageMark: '<im_start><image><im_end>' }),
      },
    }
  },
}

async function configureConnector(
  json: ConfigReader,
  type: string,
  model: {
    towers: readonly TowerBlueprint[]
    lengths: readonly number[]
    imageTokens: number
    textWidth: number
    layers: number
  },
): Promise<ConfiguredConnector> {
  const { towers, lengths, imageTokens, textWidth, layers } = model
  const visionWidths = towers.map(({ tower }) => tower.config.hiddenSize)
  if (type !== 'sva') {
    const slot = await rowConnector(type)
    const { gridConnector } = await import('../connector/grid')
    const odd = lengths.find((tokens) => tokens !== imageTokens)
    if (odd !== undefined) {
      json.fail(
        'mm_vision_tower_aux_token_len_list',
        `${imageTokens} (image_token_len) for every tower, as ${type} joins them row by row,`,
        [...lengths],
      )
    }
    return gridConnector(slot, { textWidth, visionWidths, imageTokens })
  }
  const { sva } = await import('../connector/sva')
  const queryGroups = json.count('num_query_group')
  const queryCounts = sizes(json, 'query_num_list')
  if (queryCounts.length !== queryGroups) {
    json.fail('query_num_list', `${queryGroups} numbers, one a query group (num_query_group),`, queryCounts)
  }
  const samplerLayers: number[] = []
  if (!json.bool('connector_only')) {
    const count = json.count('num_of_vision_sampler_layers')
    const start = json.int('start_of_vision_sampler_layers')
    const stride = json.size('stride_of_vision_sampler_layers')
    for (let m = 0; m < count; m++) samplerLayers.push(start + m * stride)
    if (start < 0 || samplerLayers.at(-1)! >= layers) {
      json.fail(
        'num_of_vision_sampler_layers',
        `so that sampler layers stand after layers 0 to ${layers - 1} (start_of_, stride_of_vision_sampler_layers)`,
        count,
      )
    }
  }
  return sva({
    textWidth,
    visionWidths,
    tokens: lengths,
    hidden: json.size('vision_hidden_size'),
    queryGroups,
    queryCounts,
    imageTokens,
    depth: json.count('connector_depth'),
    samplerLayers,
    heads: SAMPLER_HEADS,
  })
}

function list(json: ConfigReader, name: string, of: string, is: (value: Json) => boolean): Json[] {
  const value = json.raw(name)
  if (Array.isArray(value) && value.length > 0 && value.every(is)) return value
  return json.fail(name, `a list of ${of}`, value)
}

const sizes = (json: ConfigReader, name: string) =>
  list(json, name, 'positive integers', (v) => Number.isSafeInteger(v) && (v as number) > 0) as number[]

function square(json: ConfigReader, name: string, tokens: number): number {
  if (Number.isInteger(Math.sqrt(tokens))) return tokens
  return json.fail(name, 'a square number of tokens', tokens)
}

/**
 * The template a model was trained with: its language model tells, or its name as in Cambrian's own scripts. A folder may
 * have any name: then it is told by the marks that the tokenizer knows, of which Vicuna's has none.
 *
 * Source: cambrian inference.py, conversation.py, scripts/cambrian.
 */
function defaultTemplate(
  languageType: string,
  name: string,
): Pick<PromptStyle, 'template' | 'templateByToken'> {
  if (languageType === 'phi3') return { template: 'phi3' }
  if (languageType === 'mistral') return { template: 'mistral_instruct' }
  const rules: readonly [RegExp, string][] = [
    [/-8b\b|llama-?3/i, 'llama_3'],
    [/-13b\b|vicuna/i, 'vicuna_v1'],
    [/-34b\b|hermes/i, 'chatml_direct'],
  ]
  const told = rules.find(([pattern]) => pattern.test(name))?.[1]
  if (told !== undefined) return { template: told }
  return {
    template: 'vicuna_v1',
    templateByToken: [
      ['<|start_header_id|>', 'llama_3'],
      ['<|im_start|>', 'chatml_direct'],
      ['<|user|>', 'phi3'],
    ],
  }
}
