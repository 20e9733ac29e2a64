import { expect, test } from 'vitest'
import { configureHfTower } from './hf-tower'

const config = {
  model_type: 'dinov2',
  hidden_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  image_size: 56,
  patch_size: 14,
}

test.each([
  ['encoder.layer.1.attention.attention.query.weight', 'encoder.layer.1.attention.attention.query.weight'],
  ['encoder.layer.1.attention.q_proj.weight', 'encoder.layer.1.attention.attention.query.weight'],
  ['encoder.layer.1.attention.o_proj.bias', 'encoder.layer.1.attention.output.dense.bias'],
  ['dinov2.encoder.layer.0.norm1.weight', 'encoder.layer.0.norm1.weight'],
  ['classifier.weight', undefined],
  ['embeddings.mask_token', undefined],
  ['encoder.layer.0.attention.x_proj.weight', 'encoder.layer.0.attention.x_proj.weight'],
])("DINOv2's key %s", async (key, parameter) => {
  const { rename } = await configureHfTower(config, 'config.json:')
  expect(rename(key)).toBe(parameter)
})
