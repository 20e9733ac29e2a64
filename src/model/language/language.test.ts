import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../config-reader'
import type { DecoderConfig } from '../layers/decoder'
import { parameterCount } from '../parameters'
import { llama } from './llama'
import { mistral } from './mistral'
import { phi3 } from './phi3'
import type { LanguageModelSlot } from './definition'

const configure = (slot: LanguageModelSlot, json: JsonObject) => {
  const { config, params } = slot.configure(json, 'config.json:')
  return { config: config as DecoderConfig, params: params() }
}

describe('phi3', () => {
  test('takes what the file leaves out from Phi3Config', () => {
    const { config, params } = configure(phi3, { rope_scaling: null, num_key_value_heads: null })
    expect(config).toMatchObject({ headDim: 96, kvHeads: 32, rmsNormEps: 1e-5, slidingWindow: undefined })
    expect(config.rope).toEqual({
      theta: 10000,
      rotaryDim: 96,
      scaling: undefined,
      maxPositions: 4096,
      originalMaxPositions: 4096,
    })
    expect(params['model.layers.31.self_attn.qkv_proj.weight']?.shape).toEqual([9216, 3072])
    expect(params['model.layers.0.mlp.gate_up_proj.weight']?.shape).toEqual([16384, 3072])
    // Phi-3-mini as published.
    expect(parameterCount(params)).toBe(3_821_079_552)
  })

  test.each(['longrope', 'su', 'yarn'])('reads a scaling of type %s as longrope', (type) => {
    const factors = Array<number>(48).fill(1)
    const { config } = configure(phi3, {
      max_position_embeddings: 131072,
      rope_scaling: { type, short_factor: factors, long_factor: factors },
    })
    expect(config.rope.scaling?.rope_type).toBe('longrope')
    expect(config.rope.originalMaxPositions).toBe(4096)
  })

  test('takes fewer key heads, a window and a part of the head that turns', () => {
    const { config, params } = configure(phi3, {
      num_key_value_heads: 8,
      sliding_window: 2047,
      rope_parameters: { rope_type: 'default', rope_theta: 250000, partial_rotary_factor: 0.75 },
    })
    expect(config).toMatchObject({ kvHeads: 8, slidingWindow: 2047 })
    expect(config.rope).toMatchObject({ theta: 250000, rotaryDim: 72, scaling: undefined })
    expect(params['model.layers.0.self_attn.qkv_proj.weight']?.shape).toEqual([(32 + 16) * 96, 3072])
  })

  test('refuses another scaling', () => {
    expect(() => configure(phi3, { rope_scaling: { type: 'linear', factor: 2 } })).toThrow(
      'config.json: rope_scaling should be of type longrope but is {"type":"linear"}',
    )
  })
})

describe('mistral', () => {
  test('tells a window that is null from one that is left out', () => {
    expect(configure(mistral, {}).config.slidingWindow).toBe(4096)
    expect(configure(mistral, { sliding_window: null }).config.slidingWindow).toBeUndefined()
    expect(configure(mistral, { sliding_window: 24 }).config.slidingWindow).toBe(24)
  })

  test('takes what the file leaves out from MistralConfig', () => {
    const { config, params } = configure(mistral, { vocab_size: 32000 })
    expect(config).toMatchObject({ headDim: 128, kvHeads: 8, maxPositions: 131072, rmsNormEps: 1e-6 })
    // Mistral-7B-v0.1 as published.
    expect(parameterCount(params)).toBe(7_241_732_096)
  })
})

describe('llama', () => {
  test('reads Vicuna from before grouped heads and rotary settings', () => {
    const { config, params } = configure(llama, {
      hidden_size: 5120,
      intermediate_size: 13824,
      max_position_embeddings: 2048,
      num_attention_heads: 40,
      num_hidden_layers: 40,
      rms_norm_eps: 1e-6,
      vocab_size: 32000,
    })
    expect(config).toMatchObject({ headDim: 128, kvHeads: 40, qkvBias: false, slidingWindow: undefined })
    expect(config.rope).toMatchObject({ theta: 10000, rotaryDim: 128, scaling: undefined })
    expect(parameterCount(params)).toBe(13_015_864_320)
  })

  test('reads Nous-Hermes-2-Yi-34B', () => {
    const { config, params } = configure(llama, {
      attention_bias: false,
      hidden_act: 'silu',
      hidden_size: 7168,
      intermediate_size: 20480,
      max_position_embeddings: 4096,
      num_attention_heads: 56,
      num_hidden_layers: 60,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_scaling: null,
      rope_theta: 5000000.0,
      tie_word_embeddings: false,
      vocab_size: 64000,
    })
    expect(config).toMatchObject({ headDim: 128, kvHeads: 8, qkvBias: false })
    expect(config.rope).toMatchObject({ theta: 5e6, scaling: undefined })
    expect(parameterCount(params)).toBe(34_388_917_248)
  })

  test.each([
    ['null', null, undefined],
    [
      'llama3',
      { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
      { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
    ],
  ])('reads Llama 3 with a rope_scaling of %s', (_, scaling, want) => {
    const { config, params } = configure(llama, {
      hidden_size: 4096,
      intermediate_size: 14336,
      max_position_embeddings: 8192,
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_scaling: scaling,
      rope_theta: 500000.0,
      vocab_size: 128256,
    })
    expect(config.rope.scaling).toEqual(want)
    expect(config.rope.theta).toBe(500000)
    expect(parameterCount(params)).toBe(8_030_261_248)
  })
})
