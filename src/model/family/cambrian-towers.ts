import { ConfigReader } from '../config-reader'
import { ConfigError } from '../errors'
import { parseImageProcessor, type ImageProcessor } from '../image/processor'
import { configureHfTower } from '../vision/hf-tower'
import { configureOpenClip } from '../vision/open-clip'
import type { ConfiguredTower, TowerOutput } from '../vision/definition'
import type { TowerRepository } from '../vision/tower-repository'
import type { FamilyContext, RepositoryWeights, TowerBlueprint } from './definition'

/** Names that Cambrian gives to repositories of others, and the picture side it takes there. Units: pixels. */
const ALIASES: Readonly<Record<string, { repository: string; imageSize?: number }>> = {
  'siglip/CLIP-ViT-SO400M-14-384': { repository: 'timm/ViT-SO400M-14-SigLIP-384' },
  'siglip/CLIP-ViT-SO400M-14': { repository: 'timm/ViT-SO400M-14-SigLIP' },
  'clip-convnext-XXL-multi-stage': {
    repository: 'laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-soup',
    imageSize: 1024,
  },
  'clip-convnext-L-multi-stage': {
    repository: 'laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup',
    imageSize: 768,
  },
}

/** The colour Cambrian pads with before towers of open_clip, whatever these normalise with. */
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const

export interface CambrianTower {
  readonly blueprint: TowerBlueprint
  readonly repository: RepositoryWeights
}

/**
 * A tower from the name in `mm_vision_tower_aux_list`: one of Cambrian's own names, a repository, or a folder of the
 * checkpoint (`./towers/clip`), with `-res378` and `-interp576` behind it.
 *
 * Throws: ConfigError naming the field for anything else.
 * Source: cambrian/model/multimodal_encoder.
 */
export async function cambrianTower(
  name: string,
  { repositories }: FamilyContext,
  { prefix, tokens, selectLayer }: { prefix: string; tokens: number; selectLayer: number },
): Promise<CambrianTower> {
  const side = /-res(\d+)/.exec(name)?.[1]
  const interpolated = /-interp(\d+)/.exec(name)?.[1]
  if (interpolated !== undefined && Number(interpolated) !== tokens) {
    throw new ConfigError(
      `config.json: mm_vision_tower_aux_list names ${name}, but mm_vision_tower_aux_token_len_list says ${tokens} tokens. ` +
        'Correct one of the two.',
    )
  }
  const base = name.replace(/-res\d+/, '').replace(/-interp\d+/, '')
  const alias = Object.hasOwn(ALIASES, base) ? ALIASES[base] : undefined
  const location = alias?.repository ?? base
  const imageSize = side === undefined ? alias?.imageSize : Number(side)
  const openClip = await repositories.readJson(location, 'open_clip_config.json')
  const own = { name, prefix, tokens, location }
  if (openClip) {
    const found = configureOpenClip(openClip, `${location}: open_clip_config.json:`, {
      ...(imageSize !== undefined && { imageSize }),
    })
    const output = { depth: found.tower.config.layers, finalNorm: true }
    return {
      blueprint: {
        ...own,
        tower: found.tower,
        output,
        dropsFirstRow: found.tower.config.hasClsToken,
        processor: squash(found.tower, found.mean, found.std, CLIP_MEAN),
      },
      repository: {
        location,
        provides: `${prefix}.`,
        rename: prefixed(prefix, found, output),
        weightFiles: found.weightFiles,
      },
    }
  }
  const config = await repositories.readJson(location, 'config.json')
  if (!config) {
    const known = Object.keys(ALIASES).join(', ')
    throw new ConfigError(
      `config.json: mm_vision_tower_aux_list names ${name}, but ${location} holds neither config.json nor ` +
        `open_clip_config.json. Name ${known}, a repository, or a folder of the checkpoint (./...).`,
    )
  }
  const preprocessor = await repositories.readJson(location, 'preprocessor_config.json')
  if (!preprocessor) {
    throw new ConfigError(
      `${location}: preprocessor_config.json was not found; it says how pictures are normalised. Add it there.`,
    )
  }
  const { mean, std, centerCrop } = parseImageProcessor(preprocessor)
  const found = await configureHfTower(config, `${location}: config.json:`, {
    ...(imageSize !== undefined && { imageSize }),
    ...(imageSize === undefined && centerCrop && { defaultImageSize: centerCrop.height }),
    positions: 'scale',
  })
  const output = outputOf(found.towerType, found.tower, selectLayer)
  return {
    blueprint: {
      ...own,
      tower: found.tower,
      output,
      dropsFirstRow: found.tower.config.hasClsToken,
      processor: squash(found.tower, mean, std, mean),
    },
    repository: {
      location,
      provides: `${prefix}.`,
      rename: prefixed(prefix, found, output),
    },
  }
}

/** CLIP gives the hidden state asked for, all others what comes out behind their final norm. */
function outputOf(type: string, tower: ConfiguredTower, selectLayer: number): TowerOutput {
  const { layers } = tower.config
  if (type !== 'clip_vision_model') return { depth: layers, finalNorm: true }
  const depth = selectLayer < 0 ? layers + 1 + selectLayer : selectLayer
  if (depth < 0 || depth > layers) {
    new ConfigReader({}, 'config.json:').fail(
      'mm_vision_select_layer',
      `a hidden state of a tower of ${layers} layers`,
      selectLayer,
    )
  }
  return { depth }
}

/** Padding to a square, then PIL's bicubic resize to the tower's side; the tower's own resize has nothing left to do. */
function squash(
  { config: { imageSize } }: ConfiguredTower,
  mean: ImageProcessor['mean'],
  std: ImageProcessor['std'],
  padMean: ImageProcessor['mean'],
): ImageProcessor {
  return {
    type: 'CLIPImageProcessor',
    padToSquare: true,
    padMean,
    resize: { size: { height: imageSize, width: imageSize }, filter: 'bicubic' },
    rescaleFactor: 1 / 255,
    mean,
    std,
    normalize: true,
  }
}

function prefixed(prefix: string, tower: TowerRepository, output: TowerOutput) {
  return (key: string) => {
    const parameter = tower.rename(key, output)
    return parameter === undefined ? undefined : `${prefix}.${parameter}`
  }
}
