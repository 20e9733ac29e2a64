import { describe, expect, test } from 'vitest'
import { gridConnector } from './grid'
import { rowConnector } from './index'
import { sva, type SvaConfig } from './sva'

/** Cambrian-1 8B. Source: its training script. */
const release: SvaConfig = {
  textWidth: 4096,
  visionWidths: [1152, 1024, 1536, 5760],
  tokens: [576, 576, 576, 9216],
  hidden: 1024,
  queryGroups: 1,
  queryCounts: [576],
  imageTokens: 576,
  depth: 3,
  samplerLayers: [0, 3, 6, 9, 12, 15, 18, 21, 24, 27],
  heads: 16,
}

const parameters = (config: SvaConfig, part: RegExp) =>
  Object.entries(sva(config).params())
    .filter(([name]) => part.test(name))
    .reduce((sum, [, { shape }]) => sum + shape.reduce((product, dim) => product * dim, 1), 0)

describe('sva', () => {
  // Counts of the published checkpoint.
  test.each([
    [/^vision_sampler_0\./, 47_296_512],
    [/^vision_sampler_layers\./, 220_569_600],
    [/^mm_projector\./, 20_979_712],
    [/^mm_projector_aux_/, 13_910_016],
    [/^vision_query$/, 1024],
    [/^image_newline$/, 4096],
  ])('the release has its parameters %s', (part, count) => {
    expect(parameters(release, part)).toBe(count)
  })

  test('only windows of several cells have positions', () => {
    const names = Object.keys(sva({ ...release, queryCounts: [144] }).params())
    expect(names).toContain('vision_sampler_0.layers.2.pos_embed_0')
    expect(names).toContain('vision_sampler_layers.0.layers.0.pos_embed_3')
    expect(names).not.toContain('vision_sampler_layers.0.layers.0.pos_embed_0')
  })

  test.each<[Partial<SvaConfig>, RegExp]>([
    [{ hidden: 1000 }, /vision_hidden_size should be a multiple of 16.* is 1000/],
    [
      { tokens: [576, 576, 576] },
      /mm_vision_tower_aux_token_len_list .* each of 4 towers.*\[576, 576, 576\]/,
    ],
    [{ tokens: [576, 576, 575, 9216] }, /mm_vision_tower_aux_token_len_list .* square numbers.* is 575/],
    [{ tokens: [576, 576, 144, 9216] }, /query_num_list/],
    [
      { tokens: [144, 144, 144, 144], queryCounts: [144] },
      /mm_vision_tower_aux_token_len_list .*image_token_len/,
    ],
    [{ queryGroups: 2 }, /query_num_list .* 2 numbers \(num_query_group\).* is \[576\]/],
    [{ queryCounts: [500] }, /query_num_list .* square numbers.* is 500/],
    [{ queryCounts: [400] }, /query_num_list .* is \[400\]/],
    [{ imageTokens: 570 }, /image_token_len .* is 570/],
    [{ depth: 0 }, /connector_depth should be at least 1.* is 0/],
    [{ samplerLayers: [3, 3] }, /stride_of_vision_sampler_layers/],
  ])('%j is refused by the name of its field', (change, message) => {
    expect(() => sva({ ...release, ...change })).toThrow(message)
  })

  test('without samplers a map need not divide among the grid of the prompt', () => {
    const config = { ...release, tokens: [144, 144, 144, 144], queryCounts: [144], samplerLayers: [] }
    expect(() => sva(config)).not.toThrow()
  })
})

describe('connectors of rows', () => {
  test('mlpNx_gelu has any number of layers', async () => {
    for (const [type, layers] of Object.entries({ mlp1x_gelu: 1, mlp2x_gelu: 2, mlp12x_gelu: 12 })) {
      const slot = await rowConnector(type)
      expect(slot.type).toBe(type)
      const specs = slot.params({ visionWidth: 6, textWidth: 4, activation: 'gelu', bias: true })
      expect(Object.keys(specs)).toHaveLength(2 * layers)
      expect(specs['linear_1.weight']!.shape).toEqual([4, 6])
      if (layers > 1) expect(specs[`linear_${layers}.weight`]!.shape).toEqual([4, 4])
    }
  })

  test.each(['mlp0x_gelu', 'mlp2x_silu', 'mlpx_gelu', 'xmlp2x_gelu', 'resampler', 'toString'])(
    'there is no %s',
    async (type) => {
      await expect(rowConnector(type)).rejects.toThrow(/mm_projector_type .* is not known; known are linear/)
    },
  )

  test('identity needs rows of the language model’s width', async () => {
    const config = { textWidth: 16, visionWidths: [8, 6], imageTokens: 16 }
    const connector = gridConnector(await rowConnector('identity'), config)
    expect(() => connector.params()).toThrow(/mm_projector_type .* 14 numbers and the language model's 16/)
  })
})
