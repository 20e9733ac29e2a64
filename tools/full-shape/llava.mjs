// Names, shapes and spreads of every tensor of llava-hf/llava-interleave-qwen-0.5b-hf, and its config files.

import { PlanList } from './plans.mjs'
import { tokenizerJson } from './llava-tokenizer.mjs'

/** Sizes of the model; tests write a smaller one. */
export const FULL_SHAPE = {
  vision: { hidden: 1152, layers: 26, heads: 16, mlp: 4304, patch: 14, image: 384 },
  text: { hidden: 1024, layers: 24, heads: 16, mlp: 2816, vocab: 152_000, positions: 32_768, theta: 1e6 },
  /** First ids behind the vocabulary of the text alone: <|endoftext|>, <|im_start|>, <|im_end|>, <image>. */
  firstSpecialId: 151_643,
}

/** @typedef {typeof FULL_SHAPE} Sizes */

/**
 * The one repository of the model.
 * @param {Sizes} [sizes]
 * @returns {import('./write.mjs').Repository[]}
 */
export function llava(sizes = FULL_SHAPE) {
  const { tokenizer, config } = tokenizerJson(sizes)
  const special = sizes.firstSpecialId
  return [
    {
      folder: '.',
      dtype: 'F16',
      plans: tensorPlans(sizes),
      weights: { name: 'model', shards: 2 },
      files: {
        'config.json': configJson(sizes),
        'generation_config.json': { eos_token_id: [special + 2, special], pad_token_id: special },
        'preprocessor_config.json': preprocessorJson(sizes),
        'tokenizer.json': tokenizer,
        'tokenizer_config.json': config,
      },
    },
  ]
}

/**
 * Every tensor in the spelling of files saved before transformers 4.52; lm_head is tied to the embedding and left out.
 * @param {Sizes} sizes
 */
export function tensorPlans({ vision, text }) {
  const model = new PlanList()
  const tower = model.at('vision_tower').at('vision_model')
  const { hidden: C, patch } = vision
  tower.linear('embeddings.patch_embedding', [C, 3, patch, patch])
  tower.table('embeddings.position_embedding.weight', [Math.floor(vision.image / patch) ** 2, C])
  for (let i = 0; i < vision.layers; i++) {
    const layer = tower.at(`encoder.layers.${i}`)
    layer.layerNorm('layer_norm1', C)
    for (const part of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) layer.linear(`self_attn.${part}`, [C, C])
    layer.layerNorm('layer_norm2', C)
    layer.linear('mlp.fc1', [vision.mlp, C])
    layer.linear('mlp.fc2', [C, vision.mlp])
  }
  tower.layerNorm('post_layernorm', C)

  const { hidden: D, mlp: F } = text
  model.linear('multi_modal_projector.linear_1', [D, C])
  model.linear('multi_modal_projector.linear_2', [D, D])

  const language = model.at('language_model').at('model')
  language.table('embed_tokens.weight', [text.vocab, D])
  for (let i = 0; i < text.layers; i++) {
    const layer = language.at(`layers.${i}`)
    layer.rmsNorm('input_layernorm', D)
    for (const part of ['q_proj', 'k_proj', 'v_proj']) layer.linear(`self_attn.${part}`, [D, D])
    layer.linear('self_attn.o_proj', [D, D], false)
    layer.rmsNorm('post_attention_layernorm', D)
    layer.linear('mlp.gate_proj', [F, D], false)
    layer.linear('mlp.up_proj', [F, D], false)
    layer.linear('mlp.down_proj', [D, F], false)
  }
  language.rmsNorm('norm', D)
  return model.plans
}

/** @param {Sizes} sizes */
function configJson({ vision, text, firstSpecialId }) {
  return {
    architectures: ['LlavaForConditionalGeneration'],
    ignore_index: -100,
    image_token_index: firstSpecialId + 3,
    model_type: 'llava',
    pad_token_id: firstSpecialId,
    projector_hidden_act: 'gelu',
    text_config: {
      architectures: ['Qwen2ForCausalLM'],
      bos_token_id: firstSpecialId,
      eos_token_id: firstSpecialId + 2,
      hidden_act: 'silu',
      hidden_size: text.hidden,
      intermediate_size: text.mlp,
      max_position_embeddings: text.positions,
      max_window_layers: 21,
      model_type: 'qwen2',
      num_attention_heads: text.heads,
      num_hidden_layers: text.layers,
      num_key_value_heads: text.heads,
      rms_norm_eps: 1e-6,
      rope_theta: text.theta,
      sliding_window: 32_768,
      tie_word_embeddings: true,
      use_sliding_window: false,
      vocab_size: text.vocab,
    },
    tie_word_embeddings: true,
    torch_dtype: 'float16',
    vision_config: {
      hidden_act: 'gelu_pytorch_tanh',
      hidden_size: vision.hidden,
      image_size: vision.image,
      intermediate_size: vision.mlp,
      layer_norm_eps: 1e-6,
      model_type: 'siglip_vision_model',
      num_attention_heads: vision.heads,
      num_hidden_layers: vision.layers,
      patch_size: vision.patch,
      vision_use_head: false,
    },
    vision_feature_layer: -1,
    vision_feature_select_strategy: 'full',
  }
}

/** @param {Sizes} sizes */
function preprocessorJson({ vision }) {
  return {
    do_convert_rgb: true,
    do_normalize: true,
    do_rescale: true,
    do_resize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_processor_type: 'SiglipImageProcessor',
    image_std: [0.5, 0.5, 0.5],
    processor_class: 'LlavaProcessor',
    resample: 3,
    rescale_factor: 1 / 255,
    size: { height: vision.image, width: vision.image },
  }
}
