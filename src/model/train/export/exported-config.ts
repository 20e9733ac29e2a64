import type { Json, JsonObject } from '../../config-reader'
import type { Recipe } from '../definition'
import { linearLayers, projectorType, type ConnectorLayout, type ConnectorShapes } from './layouts'

/** What a model's own config says of its parts, whichever project wrote it. */
interface ModelFacts {
  /** Fields of the language model. */
  readonly text: JsonObject
  /** Fields of the tower, where the config holds them. */
  readonly vision: JsonObject | undefined
  /** Repository of the tower, where it is named. */
  readonly towerName: Json | undefined
  readonly selectLayer: Json
  /** The tower's first row is left out. */
  readonly dropsFirstRow: boolean
  readonly aspectRatio: Json | undefined
}

/** `model_type` of LLaVA's classes (LLaVA-NeXT's for Qwen2) by that of their language model. */
const LLAVA_TYPES: Readonly<Record<string, readonly [type: string, architecture: string]>> = {
  llama: ['llava_llama', 'LlavaLlamaForCausalLM'],
  mistral: ['llava_mistral', 'LlavaMistralForCausalLM'],
  qwen2: ['llava_qwen', 'LlavaQwenForCausalLM'],
}

/** Fields of LLaVA's config that are no language model's. */
const NOT_LANGUAGE = /^(?:mm_|tune_|freeze_|unfreeze_|use_mm_|image_|tokenizer_|architectures$|model_type$)/

/** True where LLaVA's code has a class for the model's language model. */
export const hasLlavaClass = (config: JsonObject) => {
  const { text } = factsOf(config)
  return typeof text['model_type'] === 'string' && Object.hasOwn(LLAVA_TYPES, text['model_type'])
}

/**
 * The config.json that goes with an exported connector, derived from that of the model it was trained in; what the model
 * does not tell, such as the repository of a tower that lies inside it, is left out. `towerConfig` is the config.json of a
 * tower that lies in a repository of its own.
 *
 * Source: LLaVA llava_arch.py; transformers LlavaConfig; TinyLLaVA configuration_tinyllava.py; Cambrian-1 cambrian_arch.py.
 */
export function exportedConfig(
  layout: ConnectorLayout,
  config: JsonObject,
  shapes: ConnectorShapes,
  { recipe, towerConfig }: { recipe: Recipe; towerConfig?: JsonObject | undefined },
): JsonObject {
  if (layout === 'cambrian') {
    return {
      ...config,
      tune_mm_mlp_adapter: true,
      mm_projector_lr: null,
      mm_vision_sampler_lr: recipe.samplerLearningRate,
    }
  }
  const layers = linearLayers(Object.keys(shapes))
  const type = projectorType(layers)
  const visionWidth = shapes['linear_1.weight']!.shape[1]!
  const textWidth = shapes[`linear_${layers}.weight`]!.shape[0]!
  const facts = factsOf(config, towerConfig)
  if (layout === 'llava') return llavaConfig(config, facts, { type, visionWidth, textWidth })
  return layout === 'hf'
    ? hfConfig(config, facts, 'linear_1.bias' in shapes)
    : tinyllavaConfig(config, facts, { type, visionWidth, textWidth })
}

/** Fields that are floats in every config; their whole numbers. */
const WHOLE_FLOATS = /^( *"\w*(?:factor|range|dropout|theta|_eps|_prob|_std|_lr)": -?\d+)(,?)$/gm

/**
 * A config as the text of its file. JavaScript forgets that 1.0 was no integer, and transformers 5 refuses those where it
 * expects floats: their fields are told by name.
 */
export const configText = (config: JsonObject) =>
  `${JSON.stringify(config, null, 2).replace(WHOLE_FLOATS, '$1.0$2')}\n`

function factsOf(config: JsonObject, towerConfig?: JsonObject): ModelFacts {
  const text = section(config['text_config'])
  if (text) {
    const vision = section(config['vision_config'])
    const strategy = config['vision_feature_select_strategy'] ?? 'default'
    return {
      text,
      vision,
      towerName: config['vision_model_name_or_path'] ?? vision?.['_name_or_path'],
      selectLayer: config['vision_feature_layer'] ?? -2,
      dropsFirstRow: strategy === 'default' || strategy === 'patch',
      aspectRatio: config['image_aspect_ratio'],
    }
  }
  const language = Object.entries(config).filter(([name]) => !NOT_LANGUAGE.test(name))
  return {
    // Of LLaVA's own checkpoints only those of Llama are read here.
    text: { ...Object.fromEntries(language), model_type: 'llama', architectures: ['LlamaForCausalLM'] },
    vision: section(towerConfig?.['vision_config']) ?? towerConfig,
    towerName: config['mm_vision_tower'],
    selectLayer: config['mm_vision_select_layer'] ?? -2,
    dropsFirstRow: (config['mm_vision_select_feature'] ?? 'patch') === 'patch',
    aspectRatio: config['image_aspect_ratio'],
  }
}

const section = (value: Json | undefined): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined

function llavaConfig(
  config: JsonObject,
  facts: ModelFacts,
  { type, visionWidth, textWidth }: { type: string; visionWidth: number; textWidth: number },
): JsonObject {
  const isOwn = config['text_config'] === undefined
  const language = facts.text['model_type']
  const known = typeof language === 'string' ? LLAVA_TYPES[language] : undefined
  return {
    ...(isOwn ? config : facts.text),
    ...(!isOwn && known && { model_type: known[0], architectures: [known[1]] }),
    hidden_size: textWidth,
    mm_hidden_size: visionWidth,
    mm_projector_lr: null,
    mm_projector_type: type,
    mm_use_im_patch_token: config['mm_use_im_patch_token'] ?? false,
    mm_use_im_start_end: config['mm_use_im_start_end'] ?? false,
    mm_vision_select_feature: facts.dropsFirstRow ? 'patch' : 'cls_patch',
    mm_vision_select_layer: facts.selectLayer,
    ...(facts.towerName !== undefined && { mm_vision_tower: facts.towerName }),
    tune_mm_mlp_adapter: true,
    use_mm_proj: true,
  }
}

function hfConfig(config: JsonObject, facts: ModelFacts, bias: boolean): JsonObject {
  if (config['text_config'] !== undefined && config['model_type'] === 'llava') return config
  return {
    architectures: ['LlavaForConditionalGeneration'],
    model_type: 'llava',
    multimodal_projector_bias: bias,
    projector_hidden_act: 'gelu',
    text_config: facts.text,
    ...(facts.vision && { vision_config: facts.vision }),
    vision_feature_layer: facts.selectLayer,
    vision_feature_select_strategy: facts.dropsFirstRow ? 'default' : 'full',
  }
}

function tinyllavaConfig(
  config: JsonObject,
  facts: ModelFacts,
  { type, visionWidth, textWidth }: { type: string; visionWidth: number; textWidth: number },
): JsonObject {
  if (config['model_type'] === 'tinyllava') return config
  return {
    architectures: ['TinyLlavaForConditionalGeneration'],
    model_type: 'tinyllava',
    connector_type: type,
    hidden_size: textWidth,
    ignore_index: -100,
    image_aspect_ratio: facts.aspectRatio ?? 'square',
    image_token_index: -200,
    text_config: facts.text,
    tune_type_connector: 'full',
    tune_type_llm: 'frozen',
    tune_type_vision_tower: 'frozen',
    ...(facts.vision && { vision_config: facts.vision }),
    vision_feature_layer: facts.selectLayer,
    vision_feature_select_strategy: facts.dropsFirstRow ? 'patch' : 'cls_patch',
    vision_hidden_size: visionWidth,
    ...(facts.towerName !== undefined && { vision_model_name_or_path: facts.towerName }),
  }
}
