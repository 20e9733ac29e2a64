import { patchify, type Activation, type Encoder, type Tensor } from '../../kernels'
import { ACTIVATIONS } from '../activations'
import type { ConfigReader } from '../config-reader'
import {
  ConvNextBlock,
  convNextBlockSpecs,
  type ConvNextBlockConfig,
  type ConvNextBlockNames,
  type MapSize,
} from '../layers/convnext-block'
import {
  ConvNextShrink,
  convNextShrinkSpecs,
  shrunk,
  type ConvNextShrinkNames,
} from '../layers/convnext-shrink'
import { LayerNorm } from '../layers/layer-norm'
import { Linear } from '../layers/linear'
import { layerNormSpecs, matrix, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import {
  defineVisionTower,
  type MapShape,
  type TowerInput,
  type TowerOutput,
  type VisionTower,
  type VisionTowerConfig,
} from './definition'

/** Where a layout of checkpoints keeps its parameters. */
interface ConvNextNames {
  readonly stem: string
  readonly stemNorm: string
  readonly stages: string
  /** Below a stage: what halves the map before it. The first stage has none. */
  readonly shrink: ConvNextShrinkNames
  /** Below a stage, above the blocks' numbers. */
  readonly blocks: string
  readonly block: ConvNextBlockNames
}

interface ConvNextConfig extends VisionTowerConfig {
  readonly patchSize: number
  readonly dims: readonly number[]
  readonly depths: readonly number[]
  readonly layerNormEps: number
  readonly activation: Activation
  readonly convMlp: boolean
  readonly maps: readonly MapShape[]
  readonly names: ConvNextNames
}

const HF_NAMES: ConvNextNames = {
  stem: 'embeddings.patch_embeddings',
  stemNorm: 'embeddings.layernorm',
  stages: 'encoder.stages',
  shrink: { norm: 'downsampling_layer.0', conv: 'downsampling_layer.1' },
  blocks: 'layers',
  block: {
    depthwise: 'dwconv',
    norm: 'layernorm',
    up: 'pwconv1',
    down: 'pwconv2',
    scale: 'layer_scale_parameter',
  },
}

const TIMM_NAMES: ConvNextNames = {
  stem: 'stem.0',
  stemNorm: 'stem.1',
  stages: 'stages',
  shrink: { norm: 'downsample.0', conv: 'downsample.1' },
  blocks: 'blocks',
  block: { depthwise: 'conv_dw', norm: 'norm', up: 'mlp.fc1', down: 'mlp.fc2', scale: 'gamma' },
}

const blockConfig = (config: ConvNextConfig, stage: number): ConvNextBlockConfig => ({
  width: config.dims[stage]!,
  layerNormEps: config.layerNormEps,
  activation: config.activation,
  convMlp: config.convMlp,
  names: config.names.block,
})

/** Blocks at one size, behind what halves the map. */
class ConvNextStage {
  private readonly shrink: ConvNextShrink | undefined
  private readonly blocks: ConvNextBlock[]

  constructor(config: ConvNextConfig, weights: Weights, index: number) {
    const { names, layerNormEps, depths } = config
    this.shrink = index === 0 ? undefined : new ConvNextShrink(names.shrink, layerNormEps, weights)
    this.blocks = Array.from(
      { length: depths[index]! },
      (_, i) => new ConvNextBlock(blockConfig(config, index), weights.at(`${names.blocks}.${i}`)),
    )
  }

  /** The map at this stage's size, and that size. The first stage uses x up, the others leave it. */
  forward(enc: Encoder, x: Tensor, size: MapSize): { map: Tensor; size: MapSize } {
    const own = this.shrink ? shrunk(size) : size
    let map = this.shrink?.forward(enc, x, size) ?? x
    for (const block of this.blocks) map = block.forward(enc, map, own)
    return { map, size: own }
  }
}

/** A convolutional pyramid: one map a stage. What a classifier has behind the last stage is not part of it. */
class ConvNextTower implements VisionTower {
  private readonly stem: Linear
  private readonly stemNorm: LayerNorm
  private readonly stages: ConvNextStage[]

  constructor(
    private readonly config: ConvNextConfig,
    weights: Weights,
    { depth }: TowerOutput,
  ) {
    const { names, layerNormEps } = config
    this.stem = Linear.at(weights.at(names.stem))
    this.stemNorm = LayerNorm.at(weights.at(names.stemNorm), layerNormEps)
    this.stages = Array.from(
      { length: depth },
      (_, stage) => new ConvNextStage(config, weights.at(`${names.stages}.${stage}`), stage),
    )
  }

  features(enc: Encoder, pixels: Tensor): Tensor[] {
    const { patchSize } = this.config
    const [batch, , pixelHeight, pixelWidth] = pixels.shape as [number, number, number, number]
    let size: MapSize = {
      batch,
      height: Math.floor(pixelHeight / patchSize),
      width: Math.floor(pixelWidth / patchSize),
    }
    let map = enc.scope(() =>
      this.stemNorm.forward(enc, this.stem.forward(enc, patchify(enc, pixels, patchSize))),
    )
    const maps: Tensor[] = []
    for (const stage of this.stages) {
      ;({ map, size } = stage.forward(enc, map, size))
      maps.push(map)
    }
    return maps
  }
}

function convNextSpecs(config: ConvNextConfig, { depth }: TowerOutput): ParameterSpecs {
  const { names, dims, depths, patchSize: P } = config
  const stages = Array.from({ length: depth }, (_, stage) => {
    const C = dims[stage]!
    const before = dims[stage - 1]
    return under(`${names.stages}.${stage}`, {
      ...(before !== undefined && convNextShrinkSpecs(before, C, names.shrink)),
      ...Object.assign(
        {},
        ...Array.from({ length: depths[stage]! }, (_, i) =>
          under(`${names.blocks}.${i}`, convNextBlockSpecs(blockConfig(config, stage))),
        ),
      ),
    })
  })
  return {
    ...under(names.stem, { weight: matrix(dims[0]!, 3, P, P), bias: vector(dims[0]!) }),
    ...under(names.stemNorm, layerNormSpecs(dims[0]!)),
    ...(Object.assign({}, ...stages) as ParameterSpecs),
  }
}

/** Halvings of a picture's side; more leave nothing of any. */
const MAX_STAGES = 16

/** A list of positive integers, one for each stage. */
function sizesOf(json: ConfigReader, name: string, most: number): number[] {
  const value = json.raw(name)
  const isSizes =
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_STAGES &&
    value.every((n) => Number.isInteger(n) && Number(n) > 0 && Number(n) <= most)
  return isSizes
    ? (value as number[])
    : json.fail(name, `a list of at most ${MAX_STAGES} integers from 1 to ${most}`, value)
}

/** What both layouts' configs come to; a convolution takes pictures of any size. */
function configOf(
  json: ConfigReader,
  input: TowerInput,
  dimsName: string,
  rest: Pick<ConvNextConfig, 'layerNormEps' | 'activation' | 'convMlp' | 'names'>,
): ConvNextConfig {
  const imageSize = input.imageSize ?? input.defaultImageSize ?? json.size('image_size')
  const patchSize = json.size('patch_size')
  const dims = sizesOf(json, dimsName, 2 ** 16)
  const depths = sizesOf(json, 'depths', 1024)
  if (depths.length !== dims.length) json.fail('depths', `a list of ${dims.length}, as ${dimsName}`, depths)
  const finest = Math.floor(imageSize / patchSize)
  if (finest < 2 ** (dims.length - 1)) {
    json.fail('image_size', `at least ${patchSize * 2 ** (dims.length - 1)} pixels`, imageSize)
  }
  return {
    ...rest,
    imageSize,
    patchSize,
    dims,
    depths,
    layers: dims.length,
    hiddenSize: dims.reduce((sum, width) => sum + width, 0),
    patchTokens: finest ** 2,
    hasClsToken: false,
    maps: dims.map((width, stage) => ({ side: Math.floor(finest / 2 ** stage), width })),
  }
}

/**
 * As Hugging Face writes it. Its `layer_norm_eps` belongs to the norm behind the pooling; all others have 1e-6.
 *
 * Source: transformers ConvNextModel.
 */
export const convnext = defineVisionTower<ConvNextConfig>({
  modelType: 'convnext',
  defaults: {
    patch_size: 4,
    hidden_sizes: [96, 192, 384, 768],
    depths: [3, 3, 9, 3],
    hidden_act: 'gelu',
    image_size: 224,
  },
  unused: [/^layernorm\./],
  parseConfig: (json, input) =>
    configOf(json, input, 'hidden_sizes', {
      layerNormEps: 1e-6,
      activation: json.oneOf('hidden_act', ACTIVATIONS),
      convMlp: false,
      names: HF_NAMES,
    }),
  params: convNextSpecs,
  create: (config, weights, output) => new ConvNextTower(config, weights, output),
})

/**
 * As timm and open_clip write it. Its config is the arguments of timm's ConvNeXt and an image_size.
 *
 * Source: timm 0.9.16 convnext.py.
 */
export const timmConvnext = defineVisionTower<ConvNextConfig>({
  modelType: 'timm_convnext',
  defaults: { patch_size: 4, norm_eps: 1e-6, conv_mlp: false },
  unused: [/^head\./, /^norm_pre\./],
  parseConfig: (json, input) =>
    configOf(json, input, 'dims', {
      layerNormEps: json.float('norm_eps'),
      activation: 'gelu',
      convMlp: json.bool('conv_mlp'),
      names: TIMM_NAMES,
    }),
  params: convNextSpecs,
  create: (config, weights, output) => new ConvNextTower(config, weights, output),
})
