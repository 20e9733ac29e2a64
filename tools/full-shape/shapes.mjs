// Names, shapes and spreads of every tensor of llava-hf/llava-interleave-qwen-0.5b-hf, and its config files.

/**
 * Where a tensor's values come from: `normal` around 0 with this standard deviation, or one constant.
 * @typedef {{ normal: number } | { constant: number }} Values
 * @typedef {{ name: string, shape: number[], values: Values }} TensorPlan
 */

/** Sizes of the model; tests write a smaller one. */
export const FULL_SHAPE = {
  vision: { hidden: 1152, layers: 26, heads: 16, mlp: 4304, patch: 14, image: 384 },
  text: { hidden: 1024, layers: 24, heads: 16, mlp: 2816, vocab: 152_000, positions: 32_768, theta: 1e6 },
  /** First ids behind the vocabulary of the text alone: <|endoftext|>, <|im_start|>, <|im_end|>, <image>. */
  firstSpecialId: 151_643,
}

/** @typedef {typeof FULL_SHAPE} Sizes */

const LINEAR = { normal: 0.02 }
const BIAS = { normal: 0.01 }
const ONE = { constant: 1 }
const ZERO = { constant: 0 }

/**
 * Every tensor in the spelling of files saved before transformers 4.52; lm_head is tied to the embedding and left out.
 * @param {Sizes} sizes
 * @returns {TensorPlan[]}
 */
export function tensorPlans({ vision, text }) {
  /** @type {TensorPlan[]} */
  const plans = []
  const add = (/** @type {string} */ name, /** @type {number[]} */ shape, /** @type {Values} */ values) =>
    plans.push({ name, shape, values })
  const linear = (
    /** @type {string} */ name,
    /** @type {number} */ out,
    /** @type {number} */ into,
    bias = true,
  ) => {
    add(`${name}.weight`, [out, into], LINEAR)
    if (bias) add(`${name}.bias`, [out], BIAS)
  }
  const layerNorm = (/** @type {string} */ name, /** @type {number} */ width) => {
    add(`${name}.weight`, [width], ONE)
    add(`${name}.bias`, [width], ZERO)
  }

  const tower = 'vision_tower.vision_model'
  const { hidden: C, patch } = vision
  add(`${tower}.embeddings.patch_embedding.weight`, [C, 3, patch, patch], LINEAR)
  add(`${tower}.embeddings.patch_embedding.bias`, [C], BIAS)
  add(`${tower}.embeddings.position_embedding.weight`, [Math.floor(vision.image / patch) ** 2, C], LINEAR)
  for (let i = 0; i < vision.layers; i++) {
    const layer = `${tower}.encoder.layers.${i}`
    layerNorm(`${layer}.layer_norm1`, C)
    for (const part of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) linear(`${layer}.self_attn.${part}`, C, C)
    layerNorm(`${layer}.layer_norm2`, C)
    linear(`${layer}.mlp.fc1`, vision.mlp, C)
    linear(`${layer}.mlp.fc2`, C, vision.mlp)
  }
  layerNorm(`${tower}.post_layernorm`, C)

  linear('multi_modal_projector.linear_1', text.hidden, C)
  linear('multi_modal_projector.linear_2', text.hidden, text.hidden)

  const D = text.hidden
  add('language_model.model.embed_tokens.weight', [text.vocab, D], LINEAR)
  for (let i = 0; i < text.layers; i++) {
    const layer = `language_model.model.layers.${i}`
    add(`${layer}.input_layernorm.weight`, [D], ONE)
    for (const part of ['q_proj', 'k_proj', 'v_proj']) linear(`${layer}.self_attn.${part}`, D, D)
    linear(`${layer}.self_attn.o_proj`, D, D, false)
    add(`${layer}.post_attention_layernorm.weight`, [D], ONE)
    linear(`${layer}.mlp.gate_proj`, text.mlp, D, false)
    linear(`${layer}.mlp.up_proj`, text.mlp, D, false)
    linear(`${layer}.mlp.down_proj`, D, text.mlp, false)
  }
  add('language_model.model.norm.weight', [D], ONE)
  return plans
}

/** @param {TensorPlan} plan */
export const elements = ({ shape }) => shape.reduce((product, dim) => product * dim, 1)

/** @param {Sizes} sizes */
export function configJson({ vision, text, firstSpecialId }) {
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
export function preprocessorJson({ vision }) {
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
