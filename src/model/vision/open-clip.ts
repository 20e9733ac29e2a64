import { ConfigReader, type JsonObject } from '../config-reader'
import type { Colour } from '../image/pad'
import type { ResampleFilter } from '../image/resize'
import { openClipVit } from './clip'
import { timmConvnext } from './convnext'
import type { TowerInput, VisionTowerSlot } from './definition'
import { timmSiglip } from './siglip'
import { towerRename, type TowerRepository } from './tower-repository'

/** The tower of an open_clip repository, and what its config says of pictures. */
export interface OpenClipTower extends TowerRepository {
  readonly weightFiles: readonly string[]
  readonly mean: Colour
  readonly std: Colour
  readonly filter: ResampleFilter
  /** How pictures become square: cropped behind resizing the shorter side, padded behind the longer, or squashed. */
  readonly resizeMode: 'shortest' | 'longest' | 'squash'
}

const WEIGHT_FILES = ['open_clip_model.safetensors', 'open_clip_pytorch_model.bin'] as const

/** Source: open_clip 2.24 constants.py, transform.py (PreprocessCfg). */
const PREPROCESS_DEFAULTS: JsonObject = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  interpolation: 'bicubic',
  resize_mode: 'shortest',
}

/** timm models: the tower that runs them and the arguments that timm's functions of these names pass. */
interface TimmModel {
  readonly slot: VisionTowerSlot
  readonly args: JsonObject
}

const vit = (patch_size: number, embed_dim: number, depth: number, num_heads: number, more?: JsonObject) => ({
  slot: timmSiglip,
  args: { patch_size, embed_dim, depth, num_heads, ...more },
})
const BASE = vit(16, 768, 12, 12)
const LARGE = vit(16, 1024, 24, 16)
const TANH = { act_layer: 'gelu_tanh' }
const SO400M = vit(14, 1152, 27, 16, { mlp_ratio: 3.7362 })
const SO400M_16 = vit(16, 1152, 27, 16, { mlp_ratio: 3.7362, ...TANH })
const GIANT_OPT = vit(16, 1536, 40, 16, TANH)

const convnext = (depths: number[], width: number, more?: JsonObject) => ({
  slot: timmConvnext,
  args: { depths, dims: [width, 2 * width, 4 * width, 8 * width], ...more },
})

/** Source: timm 0.9.16 and 1.0.29, vision_transformer.py and convnext.py. */
const TIMM_MODELS: Readonly<Record<string, TimmModel>> = {
  vit_base_patch16_siglip_224: BASE,
  vit_base_patch16_siglip_256: BASE,
  vit_base_patch16_siglip_384: BASE,
  vit_base_patch16_siglip_512: BASE,
  vit_base_patch32_siglip_256: vit(32, 768, 12, 12, TANH),
  vit_large_patch16_siglip_256: LARGE,
  vit_large_patch16_siglip_384: LARGE,
  vit_large_patch16_siglip_512: vit(16, 1024, 24, 16, TANH),
  vit_so400m_patch14_siglip_224: SO400M,
  vit_so400m_patch14_siglip_378: SO400M,
  vit_so400m_patch14_siglip_384: SO400M,
  vit_so400m_patch16_siglip_256: SO400M_16,
  vit_so400m_patch16_siglip_384: SO400M_16,
  vit_so400m_patch16_siglip_512: SO400M_16,
  vit_giantopt_patch16_siglip_256: GIANT_OPT,
  vit_giantopt_patch16_siglip_384: GIANT_OPT,
  convnext_atto: convnext([2, 2, 6, 2], 40, { conv_mlp: true }),
  convnext_femto: convnext([2, 2, 6, 2], 48, { conv_mlp: true }),
  convnext_pico: convnext([2, 2, 6, 2], 64, { conv_mlp: true }),
  convnext_nano: convnext([2, 2, 8, 2], 80, { conv_mlp: true }),
  convnext_tiny: convnext([3, 3, 9, 3], 96),
  convnext_small: convnext([3, 3, 27, 3], 96),
  convnext_base: convnext([3, 3, 27, 3], 128),
  convnext_large: convnext([3, 3, 27, 3], 192),
  convnext_large_mlp: convnext([3, 3, 27, 3], 192),
  convnext_xlarge: convnext([3, 3, 27, 3], 256),
  convnext_xxlarge: convnext([3, 4, 30, 3], 384, { norm_eps: 1e-5 }),
}

/** Arguments that `timm_model_kwargs` may change. */
const TIMM_ARGUMENTS = new Map([
  [timmSiglip, ['patch_size', 'embed_dim', 'depth', 'num_heads', 'mlp_ratio', 'act_layer']],
  [timmConvnext, ['patch_size', 'depths', 'dims', 'norm_eps', 'conv_mlp']],
])
/** Arguments without effect outside training. */
const TRAINING_ARGUMENTS = [
  'drop_rate',
  'drop_path_rate',
  'proj_drop_rate',
  'attn_drop_rate',
  'patch_drop_rate',
]

/**
 * The tower of an open_clip repository, from its open_clip_config.json: one of timm's models, or open_clip's own ViT.
 *
 * Throws: ConfigError for an unknown model or setting, or where the tower cannot take the input.
 */
export function configureOpenClip(config: JsonObject, where: string, input: TowerInput = {}): OpenClipTower {
  const json = new ConfigReader(config, where, { preprocess_cfg: {} })
  const model = json.section('model_cfg', { quick_gelu: false })
  const vision = model.section('vision_cfg')
  const { slot, args } = vision.has('timm_model_name')
    ? timmModel(vision)
    : {
        slot: openClipVit,
        args: { ...model.optionalObject('vision_cfg'), quick_gelu: model.bool('quick_gelu') },
      }
  const tower = slot.configure(args, vision.where, input)
  const preprocess = json.section('preprocess_cfg', PREPROCESS_DEFAULTS)
  return {
    tower,
    towerType: slot.modelType,
    rename: towerRename(tower, slot === openClipVit ? belowVisual : belowTrunk),
    weightFiles: WEIGHT_FILES,
    mean: colourOf(preprocess, 'mean'),
    std: colourOf(preprocess, 'std'),
    filter: preprocess.oneOf<ResampleFilter>('interpolation', { bicubic: 'bicubic', bilinear: 'bilinear' }),
    resizeMode: preprocess.oneOf<OpenClipTower['resizeMode']>('resize_mode', {
      shortest: 'shortest',
      longest: 'longest',
      squash: 'squash',
    }),
  }
}

/** timm's model with the arguments of its name, but those of the file before them. */
function timmModel(vision: ConfigReader): TimmModel {
  const { slot, args } = vision.oneOf('timm_model_name', TIMM_MODELS)
  const given = vision.optionalObject('timm_model_kwargs') ?? {}
  const known = TIMM_ARGUMENTS.get(slot)!
  for (const name of Object.keys(given)) {
    if (known.includes(name) || TRAINING_ARGUMENTS.includes(name)) continue
    vision.fail(`timm_model_kwargs.${name}`, `absent (known are ${known.join(', ')})`, given[name])
  }
  return { slot, args: { ...args, ...given, image_size: vision.int('image_size') } }
}

/** timm models lie below `visual.trunk.`; what was put on top of them, and the text tower, lie beside it. */
const belowTrunk = (key: string) =>
  key.startsWith('visual.trunk.') ? key.slice('visual.trunk.'.length) : undefined

const belowVisual = (key: string) =>
  key.startsWith('visual.')
    ? key.slice('visual.'.length).replace(/\.attn\.in_proj_(?=weight$|bias$)/, '.attn.in_proj.')
    : undefined

function colourOf(json: ConfigReader, name: string): Colour {
  const value = json.raw(name)
  const isColour = Array.isArray(value) && value.length === 3 && value.every((n) => typeof n === 'number')
  return isColour ? (value as unknown as Colour) : json.fail(name, 'three numbers', value)
}
