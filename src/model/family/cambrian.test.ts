import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../config-reader'
import { OriginalCase } from '../testing/original'
import { Repositories } from '../repositories'
import { Tokenizer } from '../tokenizer'
import { cambrian } from './cambrian'

interface TokenizerJson {
  added_tokens: { id: number; content: string }[]
}

const golden = new OriginalCase('cambrian-llama3')
const published = JSON.parse((await golden.checkpoint.readText('config.json', {}))!) as JsonObject

const blueprintOf = (change: Record<string, Json | undefined>, name = 'owner/cambrian-8b') => {
  const config: JsonObject = {}
  for (const [field, value] of Object.entries({ ...published, ...change })) {
    if (value !== undefined) config[field] = value
  }
  const repositories = new Repositories(golden.checkpoint, { resolve: golden.resolve })
  return cambrian.blueprint(config, { name, repositories })
}

describe('settings of config.json', () => {
  test('name the towers, their sizes and what is taken of each', async () => {
    const { vision, architecture } = await blueprintOf({})
    expect(architecture).toContain('cambrian_llama (siglip/CLIP-ViT-SO400M-14-384 + openai/')
    expect(
      vision!.towers.map(({ prefix, tower, output, dropsFirstRow, tokens }) => [
        prefix,
        tower.config.imageSize,
        output,
        dropsFirstRow,
        tokens,
      ]),
    ).toEqual([
      ['vision.0', 100, { depth: 3, finalNorm: true }, false, 36],
      ['vision.1', 84, { depth: 2 }, true, 36],
      ['vision.2', 98, { depth: 3, finalNorm: true }, true, 36],
      ['vision.3', 96, { depth: 4, finalNorm: true }, false, 576],
    ])
  })

  test('pad with the colour of CLIP before towers of open_clip, with their own before others', async () => {
    const { vision } = await blueprintOf({})
    const colours = vision!.towers.map(({ processor }) =>
      (processor!.padMean ?? processor!.mean).map((mean) => Math.trunc(mean * 255)),
    )
    expect(colours).toEqual([
      [122, 116, 104],
      [122, 116, 104],
      [123, 116, 103],
      [122, 116, 104],
    ])
    expect(vision!.towers[0]!.processor!.mean).toEqual([0.5, 0.5, 0.5])
  })

  test('place samplers inside the language model, or none', async () => {
    const samplersOf = async (change: Record<string, Json>) => {
      const { connector } = (await blueprintOf(change)).vision!
      const names = Object.keys(connector.params())
      return new Set(names.flatMap((name) => /^vision_sampler_layers\.(\d+)\./.exec(name)?.[1] ?? [])).size
    }
    expect(await samplersOf({})).toBe(2)
    expect(await samplersOf({ num_of_vision_sampler_layers: 4, stride_of_vision_sampler_layers: 1 })).toBe(4)
    expect(await samplersOf({ connector_only: true })).toBe(0)
  })

  test.each(['mlp2x_gelu', 'mlp3x_gelu', 'linear', 'identity'])('join towers by %s', async (type) => {
    const widths = 48 + 40 + 48
    const { vision } = await blueprintOf({
      mm_projector_type: type,
      mm_vision_tower_aux_list: (published['mm_vision_tower_aux_list'] as Json[]).slice(0, 3),
      mm_vision_tower_aux_token_len_list: [36, 36, 36],
      ...(type === 'identity' && { hidden_size: widths, num_attention_heads: 8, num_key_value_heads: 8 }),
    })
    expect(Object.keys(vision!.connector.params())).toContain('image_newline')
    expect(vision!.imageTokens).toBe(42)
  })

  test('give the template by language model and name', async () => {
    const templateOf = async (change: Record<string, Json>, name: string) =>
      (await blueprintOf(change, name)).promptStyle!.template
    expect(await templateOf({}, 'nyu-visionx/cambrian-8b')).toBe('llama_3')
    expect(await templateOf({}, 'nyu-visionx/cambrian-13b')).toBe('vicuna_v1')
    expect(await templateOf({}, 'nyu-visionx/cambrian-34b')).toBe('chatml_direct')
    const phi3 = { model_type: 'cambrian_phi3', num_key_value_heads: 5 }
    expect(await templateOf(phi3, 'nyu-visionx/cambrian-phi3-3b')).toBe('phi3')
  })

  test('leave the template to the tokenizer where the name of a folder tells nothing', async () => {
    // The recorded models lie in folders that are all called `checkpoint`.
    expect(Tokenizer.from(await golden.open()).templateName).toBe('llama_3')
    expect(Tokenizer.from(await new OriginalCase('cambrian-phi3').open()).templateName).toBe('phi3')
    const opened = await golden.open()
    const templateWith = async (token: string | undefined, name?: string) => {
      const json = structuredClone(opened.files['tokenizer.json']!) as unknown as TokenizerJson
      json.added_tokens = json.added_tokens.filter(({ content }) => !content.includes('header_id'))
      if (token !== undefined) json.added_tokens.push({ ...json.added_tokens[0]!, id: 519, content: token })
      const files = { ...opened.files, 'tokenizer.json': json as unknown as JsonObject }
      return Tokenizer.from({ ...opened, files, blueprint: await blueprintOf({}, name) }).templateName
    }
    expect(await templateWith('<|im_start|>', 'checkpoint')).toBe('cambrian_chatml')
    expect(await templateWith('<|user|>', 'checkpoint')).toBe('phi3')
    expect(await templateWith(undefined, 'checkpoint')).toBe('vicuna_v1')
    // A name that tells goes before.
    expect(await templateWith('<|user|>', 'owner/cambrian-13b')).toBe('vicuna_v1')
  })
})

describe('a value that cannot be served is an error naming the field', () => {
  test.each<[string, Json | undefined]>([
    ['mm_projector_type', 'se_mlp'],
    ['mm_vision_select_feature', 'cls_patch'],
    ['mm_vision_select_layer', -9],
    ['image_aspect_ratio', 'anyres'],
    ['image_token_len', 35],
    ['image_token_len', undefined],
    ['query_num_list', [36, 36]],
    ['query_num_list', [35]],
    ['num_query_group', 2],
    ['num_query_group', 0],
    ['mm_vision_tower_aux_token_len_list', [36, 36, 36]],
    ['mm_vision_tower_aux_token_len_list', [36, 36, 36, 570]],
    ['mm_vision_tower_aux_token_len_list', [36, 36, 36, 49]],
    ['mm_vision_tower_aux_list', 'openai/clip-vit-large-patch14-336'],
    ['mm_vision_tower_aux_list', []],
    ['connector_depth', 0],
    ['connector_only', 'no'],
    ['vision_hidden_size', 40],
    ['num_of_vision_sampler_layers', 5],
    ['start_of_vision_sampler_layers', -1],
    ['stride_of_vision_sampler_layers', 0],
  ])('%s: %j', async (field, value) => {
    const names = field.startsWith('start_of') ? /start_of_/ : new RegExp(field)
    await expect(blueprintOf({ [field]: value })).rejects.toThrow(names)
    await expect(blueprintOf({ [field]: value })).rejects.toMatchObject({ name: 'ConfigError' })
  })

  test('an unknown tower, and a count of tokens that its name contradicts', async () => {
    const towers = published['mm_vision_tower_aux_list'] as Json[]
    const named = (name: string) => blueprintOf({ mm_vision_tower_aux_list: [name, ...towers.slice(1)] })
    await expect(named('../elsewhere')).rejects.toThrow(/neither owner\/name nor a folder/)
    await expect(named('openai/clip-vit-large-patch14-336-interp49')).rejects.toThrow(/interp49/)
    await expect(named('openai/clip-vit-large-patch14-336-res84')).resolves.toBeDefined()
    await expect(named('openai/clip-vit-large-patch14-336-res98')).rejects.toThrow(/image_size|98/)
  })
})
