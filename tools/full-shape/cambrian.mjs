// Names, shapes and spreads of nyu-visionx/cambrian-phi3-3b with few layers, its config files and its vision towers.
// Source: Tong et al. 2024, arXiv:2406.16860; cambrian/model/{cambrian_arch,vision_sampler}.py; Phi-3-mini.

import { clip, convnext, dinov2, siglip } from './cambrian-towers.mjs'
import { PlanList } from './plans.mjs'
import { phi3Tokenizer } from './phi3-tokenizer.mjs'

/**
 * All widths and resolutions as published; of the layers so many that every kind runs. The published number of samplers
 * inside the language model is not known; here one stands after layer 0.
 */
export const FULL_WIDTH = {
  text: { hidden: 3072, layers: 2, heads: 32, mlp: 8192, vocab: 32_064, positions: 4096 },
  connector: { hidden: 1024, depth: 3, grid: 24, samplers: 1 },
  siglip: { hidden: 1152, layers: 2, heads: 16, mlpRatio: 3.7362, image: 384, side: 24 },
  // Of three layers two run: select_layer -2 leaves the last one out.
  clip: { hidden: 1024, layers: 3, heads: 16, mlp: 4096, image: 336, side: 24 },
  dinov2: { hidden: 1536, layers: 2, heads: 24, trainedImage: 518, image: 378, side: 24 },
  convnext: { dims: [384, 768, 1536, 3072], depths: [2, 2, 2, 2], image: 1024, side: 96 },
  /** First of Phi-3's ids behind its text vocabulary. */
  firstSpecialId: 32_000,
}

/** @typedef {typeof FULL_WIDTH} Sizes */

/**
 * The checkpoint, and the repositories of its towers under their names on the hub.
 * @param {Sizes} [sizes]
 * @returns {import('./write.mjs').Repository[]}
 */
export function cambrian(sizes = FULL_WIDTH) {
  const towers = [siglip(sizes.siglip), clip(sizes.clip), dinov2(sizes.dinov2), convnext(sizes.convnext)]
  const { tokenizer, config, imagePosition, eosTokenIds } = phi3Tokenizer(sizes)
  return [
    {
      folder: 'cambrian-phi3-3b',
      dtype: 'F32',
      plans: checkpointPlans(
        sizes,
        towers.map(({ width }) => width),
      ),
      weights: { name: 'model', shards: 2 },
      files: {
        'config.json': configJson(sizes, {
          imagePosition,
          eosTokenId: eosTokenIds[0],
          towers: towers.map(({ name }) => name),
          tokens: towers.map(({ side }) => side ** 2),
        }),
        'generation_config.json': { bos_token_id: 1, eos_token_id: eosTokenIds },
        'tokenizer.json': tokenizer,
        'tokenizer_config.json': config,
      },
    },
    ...towers.map(({ repository, ...tower }) => ({
      ...tower,
      folder: `repos/${repository}`,
      dtype: /** @type {const} */ ('F32'),
    })),
  ]
}

/**
 * Every tensor of the checkpoint itself.
 * @param {Pick<Sizes, 'text' | 'connector'>} sizes
 * @param {number[]} towerWidths
 */
export function checkpointPlans({ text, connector }, towerWidths) {
  const file = new PlanList()
  const model = file.at('model')
  const { hidden: D, mlp: F } = text
  const V = connector.hidden
  // Larger than what layers add to them, so that an answer depends on its own words.
  model.add('embed_tokens.weight', [text.vocab, D], { normal: 2 })
  for (let i = 0; i < text.layers; i++) {
    const layer = model.at(`layers.${i}`)
    layer.rmsNorm('input_layernorm', D)
    layer.linear('self_attn.qkv_proj', [3 * D, D], false)
    layer.linear('self_attn.o_proj', [D, D], false)
    layer.rmsNorm('post_attention_layernorm', D)
    layer.linear('mlp.gate_up_proj', [2 * F, D], false)
    layer.linear('mlp.down_proj', [D, F], false)
  }
  model.rmsNorm('norm', D)
  file.linear('lm_head', [text.vocab, D], false)

  model.matrix('vision_query', [1, V])
  model.add('image_newline', [D], { normal: 1 / Math.sqrt(D) })
  for (const [t, width] of towerWidths.entries()) {
    const aux = model.at(`mm_projector_aux_${t}`)
    aux.linear('0', [V, width])
    aux.linear('2', [V, V])
    aux.layerNorm('3', V)
  }
  model.linear('mm_projector.0', [D, V])
  model.linear('mm_projector.2', [D, D])
  const windows = [1, 1, 1, 4].slice(0, towerWidths.length)
  for (let j = 0; j < connector.depth; j++) sampler(model.at(`vision_sampler_0.layers.${j}`), V, V, windows)
  for (let m = 0; m < connector.samplers; m++) {
    sampler(model.at(`vision_sampler_layers.${m}.layers.0`), D, V, windows)
  }
  return file.plans
}

/**
 * One layer of spatial cross-attention.
 * @param {PlanList} layer
 * @param {number} Q  width of the queries
 * @param {number} V
 * @param {number[]} windows  cells of each tower's window along a side
 */
function sampler(layer, Q, V, windows) {
  layer.linear('proj_context', [V, V], false)
  layer.linear('proj_in', [V, Q + V], false)
  layer.linear('proj_out.linear_1', [V, V], false)
  layer.linear('proj_out.linear_2', [Q, V], false)
  layer.layerNorm('norm', V)
  const names = windows.flatMap((_, t) => [`k_proj_${t}`, `v_proj_${t}`])
  for (const name of ['q_proj', ...names]) {
    layer.layerNorm(`cross_attn.${name}.0`, V)
    layer.linear(`cross_attn.${name}.1`, [V, V], false)
  }
  layer.linear('cross_attn.o_proj', [V, V], false)
  for (const [t, side] of windows.entries()) if (side > 1) layer.table(`pos_embed_${t}`, [side ** 2, V])
}

/**
 * @param {Sizes} sizes
 * @param {{ imagePosition: number, eosTokenId: number | undefined, towers: string[], tokens: number[] }} rest
 */
function configJson({ text, connector }, { imagePosition, eosTokenId, towers, tokens }) {
  const cells = connector.grid ** 2
  return {
    architectures: ['CambrianPhi3ForCausalLM'],
    bos_token_id: 1,
    connector_depth: connector.depth,
    connector_only: false,
    eos_token_id: eosTokenId,
    hidden_act: 'silu',
    hidden_size: text.hidden,
    image_aspect_ratio: 'pad',
    image_position: imagePosition,
    image_token_len: cells,
    intermediate_size: text.mlp,
    max_position_embeddings: text.positions,
    mm_projector_type: 'sva',
    mm_use_im_patch_token: false,
    mm_use_im_start_end: false,
    mm_vision_select_feature: 'patch',
    mm_vision_select_layer: -2,
    mm_vision_tower_aux_list: towers,
    mm_vision_tower_aux_token_len_list: tokens,
    model_type: 'cambrian_phi3',
    num_attention_heads: text.heads,
    num_hidden_layers: text.layers,
    num_key_value_heads: text.heads,
    num_of_vision_sampler_layers: connector.samplers,
    num_query_group: 1,
    original_max_position_embeddings: text.positions,
    query_num_list: [cells],
    rms_norm_eps: 1e-5,
    rope_scaling: null,
    rope_theta: 10_000,
    sliding_window: 2047,
    start_of_vision_sampler_layers: 0,
    stride_of_vision_sampler_layers: 1,
    tie_word_embeddings: false,
    tokenizer_model_max_length: 2048,
    tokenizer_padding_side: 'right',
    torch_dtype: 'float32',
    use_mm_proj: true,
    vision_hidden_size: connector.hidden,
    vocab_size: text.vocab,
  }
}
