// The four vision towers of Cambrian-1 in the layouts of their own repositories.

import { PlanList } from './plans.mjs'

/**
 * A tower under the name that Cambrian's config gives it. `side` is that of the map it is resampled to.
 * @typedef {Pick<import('./write.mjs').Repository, 'plans' | 'weights' | 'files'> & {
 *   name: string,
 *   repository: string,
 *   width: number,
 *   side: number,
 * }} Tower
 */

/** What a block adds to its input is scaled down by this where a tower has such scales. */
const LAYER_SCALE = { constant: 0.1 }
const LOGIT_SCALE = { constant: 4.6 }

const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711]

/**
 * As open_clip saves timm's SigLIP, with the pooling head that Cambrian leaves out.
 * @param {import('./cambrian.mjs').Sizes['siglip']} sizes
 * @returns {Tower}
 */
export function siglip({ hidden: C, layers, heads, mlpRatio, image, side }) {
  const file = new PlanList()
  const trunk = file.at('visual').at('trunk')
  const F = Math.trunc(C * mlpRatio)
  const patch = 14
  file.add('logit_scale', [], LOGIT_SCALE)
  trunk.table('pos_embed', [1, Math.floor(image / patch) ** 2, C])
  trunk.linear('patch_embed.proj', [C, 3, patch, patch])
  for (let i = 0; i < layers; i++) {
    const block = trunk.at(`blocks.${i}`)
    block.layerNorm('norm1', C)
    block.linear('attn.qkv', [3 * C, C])
    block.linear('attn.proj', [C, C])
    block.layerNorm('norm2', C)
    block.linear('mlp.fc1', [F, C])
    block.linear('mlp.fc2', [C, F])
  }
  trunk.layerNorm('norm', C)
  const pool = trunk.at('attn_pool')
  pool.table('latent', [1, 1, C])
  pool.linear('q', [C, C])
  pool.linear('kv', [2 * C, C])
  pool.linear('proj', [C, C])
  pool.layerNorm('norm', C)
  pool.linear('mlp.fc1', [F, C])
  pool.linear('mlp.fc2', [C, F])
  return {
    name: 'siglip/CLIP-ViT-SO400M-14-384',
    repository: 'timm/ViT-SO400M-14-SigLIP-384',
    width: C,
    side,
    plans: file.plans,
    weights: 'open_clip_model.safetensors',
    files: {
      'open_clip_config.json': {
        model_cfg: {
          embed_dim: C,
          custom_text: true,
          vision_cfg: {
            image_size: image,
            timm_model_name: 'vit_so400m_patch14_siglip_384',
            timm_model_pretrained: false,
            timm_pool: 'map',
            timm_proj: 'none',
            timm_model_kwargs: { embed_dim: C, depth: layers, num_heads: heads, mlp_ratio: mlpRatio },
          },
        },
        preprocess_cfg: {
          mean: [0.5, 0.5, 0.5],
          std: [0.5, 0.5, 0.5],
          interpolation: 'bicubic',
          resize_mode: 'squash',
        },
      },
    },
  }
}

/**
 * As transformers saves CLIP's vision tower, with the projection that follows it.
 * @param {import('./cambrian.mjs').Sizes['clip']} sizes
 * @returns {Tower}
 */
export function clip({ hidden: C, layers, heads, mlp: F, image, side }) {
  const file = new PlanList()
  const vision = file.at('vision_model')
  const patch = 14
  file.add('logit_scale', [], LOGIT_SCALE)
  file.linear('visual_projection', [768, C], false)
  vision.table('embeddings.class_embedding', [C])
  vision.linear('embeddings.patch_embedding', [C, 3, patch, patch], false)
  vision.table('embeddings.position_embedding.weight', [1 + Math.floor(image / patch) ** 2, C])
  // Misspelled in every checkpoint.
  vision.layerNorm('pre_layrnorm', C)
  for (let i = 0; i < layers; i++) {
    const layer = vision.at(`encoder.layers.${i}`)
    layer.layerNorm('layer_norm1', C)
    for (const part of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) layer.linear(`self_attn.${part}`, [C, C])
    layer.layerNorm('layer_norm2', C)
    layer.linear('mlp.fc1', [F, C])
    layer.linear('mlp.fc2', [C, F])
  }
  vision.layerNorm('post_layernorm', C)
  const name = 'openai/clip-vit-large-patch14-336'
  return {
    name,
    repository: name,
    width: C,
    side,
    plans: file.plans,
    weights: 'pytorch_model.bin',
    files: {
      'config.json': {
        architectures: ['CLIPModel'],
        model_type: 'clip',
        vision_config: {
          model_type: 'clip_vision_model',
          hidden_size: C,
          intermediate_size: F,
          num_hidden_layers: layers,
          num_attention_heads: heads,
          image_size: image,
          patch_size: patch,
          hidden_act: 'quick_gelu',
          layer_norm_eps: 1e-5,
        },
      },
      'preprocessor_config.json': {
        crop_size: image,
        do_center_crop: true,
        do_normalize: true,
        do_resize: true,
        feature_extractor_type: 'CLIPFeatureExtractor',
        image_mean: CLIP_MEAN,
        image_std: CLIP_STD,
        resample: 3,
        size: image,
      },
    },
  }
}

/**
 * As transformers saves DINOv2 with a SwiGLU. Its pictures are smaller here than those it was trained on.
 * @param {import('./cambrian.mjs').Sizes['dinov2']} sizes
 * @returns {Tower}
 */
export function dinov2({ hidden: C, layers, heads, trainedImage, image, side }) {
  const file = new PlanList()
  const patch = 14
  const F = Math.ceil(Math.trunc((4 * C * 2) / 3) / 8) * 8
  file.table('embeddings.cls_token', [1, 1, C])
  file.table('embeddings.mask_token', [1, C])
  file.table('embeddings.position_embeddings', [1, 1 + Math.floor(trainedImage / patch) ** 2, C])
  file.linear('embeddings.patch_embeddings.projection', [C, 3, patch, patch])
  for (let i = 0; i < layers; i++) {
    const layer = file.at(`encoder.layer.${i}`)
    layer.layerNorm('norm1', C)
    for (const part of ['query', 'key', 'value']) layer.linear(`attention.attention.${part}`, [C, C])
    layer.linear('attention.output.dense', [C, C])
    layer.add('layer_scale1.lambda1', [C], LAYER_SCALE)
    layer.layerNorm('norm2', C)
    layer.linear('mlp.weights_in', [2 * F, C])
    layer.linear('mlp.weights_out', [C, F])
    layer.add('layer_scale2.lambda1', [C], LAYER_SCALE)
  }
  file.layerNorm('layernorm', C)
  return {
    name: `facebook/dinov2-giant-res${image}`,
    repository: 'facebook/dinov2-giant',
    width: C,
    side,
    plans: file.plans,
    weights: 'model.safetensors',
    files: {
      'config.json': {
        architectures: ['Dinov2Model'],
        model_type: 'dinov2',
        hidden_size: C,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        mlp_ratio: 4,
        image_size: trainedImage,
        patch_size: patch,
        use_swiglu_ffn: true,
        layer_norm_eps: 1e-6,
        hidden_act: 'gelu',
        qkv_bias: true,
      },
      'preprocessor_config.json': {
        crop_size: { height: 224, width: 224 },
        do_center_crop: true,
        do_convert_rgb: true,
        do_normalize: true,
        do_rescale: true,
        do_resize: true,
        image_mean: [0.485, 0.456, 0.406],
        image_std: [0.229, 0.224, 0.225],
        image_processor_type: 'BitImageProcessor',
        resample: 3,
        rescale_factor: 1 / 255,
        size: { shortest_edge: 256 },
      },
    },
  }
}

/**
 * As open_clip pickles timm's ConvNeXt, with the head that Cambrian leaves out.
 * @param {import('./cambrian.mjs').Sizes['convnext']} sizes
 * @returns {Tower}
 */
export function convnext({ dims, depths, image, side }) {
  const file = new PlanList()
  const trunk = file.at('visual').at('trunk')
  const [first = 0] = dims
  const last = dims.at(-1) ?? 0
  trunk.linear('stem.0', [first, 3, 4, 4])
  trunk.layerNorm('stem.1', first)
  for (const [s, C] of dims.entries()) {
    const stage = trunk.at(`stages.${s}`)
    const before = dims[s - 1]
    if (before !== undefined) {
      stage.layerNorm('downsample.0', before)
      stage.linear('downsample.1', [C, before, 2, 2])
    }
    for (let b = 0; b < (depths[s] ?? 0); b++) {
      const block = stage.at(`blocks.${b}`)
      block.add('gamma', [C], LAYER_SCALE)
      block.linear('conv_dw', [C, 1, 7, 7])
      block.layerNorm('norm', C)
      block.linear('mlp.fc1', [4 * C, C])
      block.linear('mlp.fc2', [C, 4 * C])
    }
  }
  trunk.layerNorm('head.norm', last)
  file.matrix('visual.head.proj.weight', [1024, last])
  file.add('logit_scale', [], LOGIT_SCALE)
  return {
    name: `clip-convnext-XXL-multi-stage${image === 1024 ? '' : `-res${image}`}`,
    repository: 'laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-soup',
    width: dims.reduce((sum, C) => sum + C, 0),
    side,
    plans: file.plans,
    weights: 'open_clip_pytorch_model.bin',
    files: {
      'open_clip_config.json': {
        model_cfg: {
          embed_dim: 1024,
          vision_cfg: {
            timm_model_name: 'convnext_xxlarge',
            timm_model_pretrained: false,
            timm_pool: '',
            timm_proj: 'linear',
            timm_drop: 0,
            timm_drop_path: 0.1,
            timm_model_kwargs: { dims, depths, norm_eps: 1e-5 },
            image_size: 256,
          },
        },
        preprocess_cfg: { mean: CLIP_MEAN, std: CLIP_STD },
      },
    },
  }
}
