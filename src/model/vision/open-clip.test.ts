import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../config-reader'
import { parameterCount } from '../parameters'
import { configureHfTower } from './hf-tower'
import { configureOpenClip } from './open-clip'

const WHERE = 'open_clip_config.json:'
const timm = (name: string, vision: JsonObject = {}, rest: JsonObject = {}): JsonObject => ({
  model_cfg: { embed_dim: 8, vision_cfg: { timm_model_name: name, image_size: 384, ...vision } },
  ...rest,
})
const configure = (config: JsonObject, imageSize?: number) => configureOpenClip(config, WHERE, { imageSize })

describe('towers of full size have the parameters of the published ones', () => {
  test('SigLIP SO400M', () => {
    const { tower, towerType } = configure(timm('vit_so400m_patch14_siglip_384'))
    expect(towerType).toBe('timm_siglip')
    expect(tower.config).toMatchObject({ patchTokens: 729, hiddenSize: 1152, intermediateSize: 4304 })
    expect(parameterCount(tower.params({ depth: 27, finalNorm: true }))).toBe(412_987_248)
  })

  test('ConvNeXt XXL at 1024 pixels', () => {
    const { tower } = configure(timm('convnext_xxlarge', { image_size: 256 }), 1024)
    expect(tower.config).toMatchObject({ imageSize: 1024, patchTokens: 65_536, hiddenSize: 5760, layers: 4 })
    expect(tower.config.maps).toEqual([
      { side: 256, width: 384 },
      { side: 128, width: 768 },
      { side: 64, width: 1536 },
      { side: 32, width: 3072 },
    ])
    expect(parameterCount(tower.params({ depth: 4 }))).toBe(843_391_872)
  })

  test('DINOv2 giant on pictures of 378 pixels', async () => {
    const giant = { model_type: 'dinov2', hidden_size: 1536, num_hidden_layers: 40, num_attention_heads: 24 }
    const config = { ...giant, image_size: 518, use_swiglu_ffn: true }
    const { tower } = await configureHfTower(config, 'config.json:', { imageSize: 378 })
    expect(tower.config).toMatchObject({ imageSize: 378, patchTokens: 729, intermediateSize: 4096 })
    // Without the mask token, which is for training alone.
    expect(parameterCount(tower.params({ depth: 40, finalNorm: true }))).toBe(1_136_480_768 - 1536)
    const preprocessed = await configureHfTower(config, 'config.json:', { defaultImageSize: 224 })
    expect(preprocessed.tower.config.patchTokens).toBe(256)
  })

  test('CLIP L/14 at 336 pixels', async () => {
    const vision = {
      hidden_size: 1024,
      intermediate_size: 4096,
      num_hidden_layers: 24,
      num_attention_heads: 16,
    }
    const config = { model_type: 'clip', vision_config: { ...vision, image_size: 336, patch_size: 14 } }
    const { tower, towerType } = await configureHfTower(config, 'config.json:')
    expect(towerType).toBe('clip_vision_model')
    expect(parameterCount(tower.params({ depth: 24, finalNorm: true }))).toBe(303_507_456)
  })
})

describe('keys', () => {
  test('of a timm model lie below visual.trunk', () => {
    const { rename } = configure(timm('vit_base_patch16_siglip_384'))
    expect(rename('visual.trunk.blocks.3.attn.qkv.weight')).toBe('blocks.3.attn.qkv.weight')
    expect(rename('visual.trunk.norm.bias')).toBe('norm.bias')
    for (const key of [
      'visual.trunk.attn_pool.latent',
      'visual.head.proj.weight',
      'text.transformer.resblocks.0.ln_1.weight',
      'logit_scale',
      'positional_embedding',
    ]) {
      expect(rename(key)).toBeUndefined()
    }
  })

  test('that an output leaves out are of no use, those nobody knows are reported', () => {
    const { rename } = configure(timm('vit_base_patch16_siglip_384'))
    const output = { depth: 3 }
    expect(rename('visual.trunk.blocks.2.norm1.weight', output)).toBe('blocks.2.norm1.weight')
    expect(rename('visual.trunk.blocks.3.norm1.weight', output)).toBeUndefined()
    expect(rename('visual.trunk.norm.weight', output)).toBeUndefined()
    expect(rename('visual.trunk.blocks.99.norm1.weight', output)).toBe('blocks.99.norm1.weight')
  })

  test('of a ConvNeXt leave its head behind', () => {
    const { rename } = configure(timm('convnext_base'))
    expect(rename('visual.trunk.stages.1.downsample.1.weight')).toBe('stages.1.downsample.1.weight')
    expect(rename('visual.trunk.head.norm.weight')).toBeUndefined()
  })
})

describe('preprocessing', () => {
  test('is what the file says', () => {
    const half = [0.5, 0.5, 0.5]
    const preprocess_cfg = { mean: half, std: half, interpolation: 'bilinear', resize_mode: 'squash' }
    expect(configure(timm('convnext_base', {}, { preprocess_cfg }))).toMatchObject({
      mean: half,
      std: half,
      filter: 'bilinear',
      resizeMode: 'squash',
    })
  })

  test("is open_clip's own where the file says nothing", () => {
    expect(configure(timm('convnext_base'))).toMatchObject({
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
      filter: 'bicubic',
      resizeMode: 'shortest',
      weightFiles: ['open_clip_model.safetensors', 'open_clip_pytorch_model.bin'],
    })
  })
})

describe('settings', () => {
  test('of the file go before those of the name', () => {
    const timm_model_kwargs = { embed_dim: 48, depth: 3, num_heads: 4, drop_path_rate: 0.1 }
    const { tower } = configure(timm('vit_so400m_patch14_siglip_384', { timm_model_kwargs }))
    expect(tower.config).toMatchObject({
      hiddenSize: 48,
      layers: 3,
      intermediateSize: 179,
      activation: 'gelu',
    })
    const tanh = configure(
      timm('vit_base_patch16_siglip_384', { timm_model_kwargs: { act_layer: 'gelu_tanh' } }),
    )
    expect(tanh.tower.config).toMatchObject({ activation: 'gelu_tanh' })
  })

  test.each<[string, JsonObject, number | undefined, RegExp]>([
    [
      'a model nobody knows',
      timm('eva02_base_patch14'),
      undefined,
      /timm_model_name .*convnext_xxlarge.*eva02/,
    ],
    [
      'an argument that changes the model',
      timm('convnext_base', { timm_model_kwargs: { use_grn: true } }),
      undefined,
      /timm_model_kwargs.use_grn .*known are .*depths/,
    ],
    [
      'stages without widths',
      timm('convnext_base', { timm_model_kwargs: { depths: [1, 2] } }),
      undefined,
      /depths should be a list of 4, as dims/,
    ],
    [
      'pictures too small for the last stage',
      timm('convnext_base'),
      16,
      /image_size should be at least 32 pixels but is 16/,
    ],
    [
      'another size than the positions have',
      timm('vit_base_patch16_siglip_384'),
      448,
      /image_size should be 448 .* but is 384/,
    ],
    [
      'a filter nobody knows',
      timm('convnext_base', {}, { preprocess_cfg: { interpolation: 'random' } }),
      undefined,
      /preprocess_cfg.interpolation should be one of bicubic, bilinear/,
    ],
    ['no vision tower', { model_cfg: {} }, undefined, /model_cfg.vision_cfg should be an object/],
    [
      'a layer scale in a plain ViT',
      { model_cfg: { vision_cfg: { width: 64, ls_init_value: 0.1 } } },
      undefined,
      /ls_init_value should be absent/,
    ],
  ])('%s is refused by name', (_, config, imageSize, message) => {
    expect(() => configure(config, imageSize)).toThrow(message)
  })
})
