import { describe, expect, test } from 'vitest'
import type { Capabilities } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import { memorySource } from './checkpoint/testing/memory-source'
import type { JsonObject } from './config-reader'
import { cambrian } from './family/cambrian'
import { blueprintSpecs, tiedParameters } from './family/definition'
import { elementCount } from '../kernels'
import { planMemory } from './plan'
import { Repositories } from './repositories'

/** Limits of a card with 4 GiB buffers: what most GPUs of the last ten years report. */
const caps = { maxBufferBytes: 2 ** 32, maxBindingBytes: 2 ** 31 } as Capabilities

const SVA: JsonObject = {
  image_token_len: 576,
  num_query_group: 1,
  query_num_list: [576],
  connector_depth: 3,
  mm_vision_tower_aux_list: [
    'siglip/CLIP-ViT-SO400M-14-384',
    'openai/clip-vit-large-patch14-336',
    'facebook/dinov2-giant-res378',
    'clip-convnext-XXL-multi-stage',
  ],
  mm_vision_tower_aux_token_len_list: [576, 576, 576, 9216],
  connector_only: false,
  start_of_vision_sampler_layers: 0,
  vision_hidden_size: 1024,
  mm_projector_type: 'sva',
  mm_vision_select_layer: -2,
  mm_vision_select_feature: 'patch',
  image_aspect_ratio: 'pad',
  mm_use_im_start_end: false,
  tokenizer_model_max_length: 2048,
}

/** Sizes of the released models. Source: their papers, base models and training scripts. */
const MODELS = {
  'cambrian-phi3-3b': {
    ...SVA,
    model_type: 'cambrian_phi3',
    hidden_size: 3072,
    intermediate_size: 8192,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    vocab_size: 32064,
    max_position_embeddings: 4096,
    original_max_position_embeddings: 4096,
    rms_norm_eps: 1e-5,
    hidden_act: 'silu',
    rope_theta: 10000,
    tie_word_embeddings: false,
    // Not published; ten is the most of any released model.
    num_of_vision_sampler_layers: 10,
    stride_of_vision_sampler_layers: 3,
  },
  'cambrian-8b': {
    ...SVA,
    model_type: 'cambrian_llama',
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    vocab_size: 128256,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    hidden_act: 'silu',
    rope_theta: 500000,
    tie_word_embeddings: false,
    num_of_vision_sampler_layers: 10,
    stride_of_vision_sampler_layers: 3,
  },
} satisfies Record<string, JsonObject>

const TOWERS: Record<string, Record<string, JsonObject>> = {
  'timm/ViT-SO400M-14-SigLIP-384': {
    'open_clip_config.json': {
      model_cfg: {
        embed_dim: 1152,
        vision_cfg: { image_size: 384, timm_model_name: 'vit_so400m_patch14_siglip_384' },
      },
      preprocess_cfg: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    },
  },
  'openai/clip-vit-large-patch14-336': {
    'config.json': {
      model_type: 'clip',
      vision_config: {
        model_type: 'clip_vision_model',
        hidden_size: 1024,
        intermediate_size: 4096,
        num_hidden_layers: 24,
        num_attention_heads: 16,
        image_size: 336,
        patch_size: 14,
      },
    },
    'preprocessor_config.json': {
      feature_extractor_type: 'CLIPFeatureExtractor',
      crop_size: 336,
      size: 336,
    },
  },
  'facebook/dinov2-giant': {
    'config.json': {
      model_type: 'dinov2',
      hidden_size: 1536,
      num_hidden_layers: 40,
      num_attention_heads: 24,
      mlp_ratio: 4,
      image_size: 518,
      patch_size: 14,
      use_swiglu_ffn: true,
    },
    'preprocessor_config.json': { image_processor_type: 'BitImageProcessor' },
  },
  'laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-soup': {
    'open_clip_config.json': {
      model_cfg: { embed_dim: 1024, vision_cfg: { timm_model_name: 'convnext_xxlarge', image_size: 256 } },
      preprocess_cfg: {
        mean: [0.48145466, 0.4578275, 0.40821073],
        std: [0.26862954, 0.26130258, 0.27577711],
      },
    },
  },
}

/** A model as opening it would give it, every weight stored as F32 as the released ones are taken to be. */
async function opened(name: keyof typeof MODELS): Promise<OpenedModel> {
  const config: JsonObject = MODELS[name]
  const repositories = new Repositories(memorySource({}), {
    resolve: (repo) =>
      memorySource(
        Object.fromEntries(
          Object.entries(TOWERS[repo] ?? {}).map(([file, json]) => [file, JSON.stringify(json)]),
        ),
      ),
  })
  const blueprint = await cambrian.blueprint(config, { name, repositories })
  const specs = blueprintSpecs(blueprint)
  const tensors = new Map(
    Object.entries(specs).map(([param, { shape }]) => [
      param,
      { name: param, dtype: 'F32' as const, shape, start: 0, end: elementCount(shape) * 4, file: '' },
    ]),
  )
  return {
    config,
    blueprint,
    specs,
    tensors,
    externals: new Map(),
    tied: tiedParameters(blueprint),
  } as unknown as OpenedModel
}

/** Language model and connector, summed by hand over the shapes of each part; towers not counted. */
const PARAMETERS = {
  'cambrian-phi3-3b': 3_821_079_552 + 47_296_512 + 12_589_056 + 13_910_016 + 1_024 + 3_072 + 19_959_808 * 10,
  'cambrian-8b': 8_333_022_208,
}

describe.each([
  ['cambrian-phi3-3b', 6e9],
  ['cambrian-8b', 10e9],
] as const)('%s', (name, limit) => {
  test('has the published number of parameters beside its towers', async () => {
    const { specs } = await opened(name)
    const count = Object.entries(specs)
      .filter(([param]) => !param.startsWith('vision.'))
      .reduce((sum, [, { shape }]) => sum + elementCount(shape), 0)
    expect(count).toBe(PARAMETERS[name])
  })

  test('answers at q4 within its budget, one tower at a time', async () => {
    const plan = planMemory(await opened(name), caps, { dtype: 'q4' })
    const parts = Object.entries(plan.gpuBytes).map(([part, size]) => `${part} ${(size / 1e9).toFixed(2)}`)
    console.log(`${name} at q4, GB: ${parts.join(', ')}; towers ${plan.towerDtype}`)
    expect(plan.gpuBytes.total).toBeLessThan(limit)
    expect(plan.fits).toBe(true)
    expect(plan.towers.some(({ resident }) => !resident)).toBe(true)
    const staying = plan.towers.filter(({ resident }) => resident)
    const going = plan.towers.filter(({ resident }) => !resident)
    const bytes = (list: typeof plan.towers) => list.map(({ gpuBytes }) => gpuBytes)
    expect(plan.gpuBytes.vision).toBe(
      bytes(staying).reduce((sum, size) => sum + size, 0) + Math.max(...bytes(going)),
    )
  })
})
