import { expect, test, describe } from 'vitest'
import { parseSafetensorsHeader } from '../../checkpoint/safetensors'
import { TrainingError } from '../../errors'
import { matrix, vector } from '../../parameters'
import type { ExportedFile, LogRecord, Recipe, RunInfo } from '../definition'
import { exportConnector } from './export'
import { layoutsOf, WEIGHTS_FILE, type ConnectorLayout } from './layouts'
import { connectorCases, log, randomTensors, run, textOf, type ConnectorCase } from './testing/connectors'

const versions = { Trilobite: '0.1.0' }

async function exported(name: keyof typeof connectorCases, layout: ConnectorLayout, seed?: number) {
  const { specs, config, towerConfig }: ConnectorCase = await connectorCases[name]()
  const tensors = randomTensors(specs, seed)
  return {
    specs,
    config,
    tensors,
    files: exportConnector({ tensors, layout, run, log, modelConfig: config, towerConfig, versions }),
  }
}

const header = (files: readonly ExportedFile[], layout: ConnectorLayout) => {
  const { bytes } = files.find(({ path }) => path === WEIGHTS_FILE[layout])!
  return parseSafetensorsHeader(bytes, bytes.length, layout)
}

const keys = (files: readonly ExportedFile[], layout: ConnectorLayout) =>
  header(files, layout)
    .tensors.map(({ name }) => name)
    .sort()

describe('layouts', () => {
  test.each([
    ['llava-clip-llama', ['hf', 'llava', 'tinyllava']],
    ['llava-original', ['llava', 'hf', 'tinyllava']],
    ['llava-v1-linear', ['llava', 'tinyllava']],
    ['cambrian-llama3', ['cambrian']],
    ['cambrian grid', ['cambrian']],
  ] as const)('of %s, its own first', async (name, layouts) => {
    const { specs, config } = await connectorCases[name]()
    expect(layoutsOf(config, specs)).toEqual(layouts)
  })

  test('leave out projects whose projector would compute something else', async () => {
    const { specs, config } = await connectorCases['llava-clip-llama']()
    expect(layoutsOf({ ...config, projector_hidden_act: 'gelu_pytorch_tanh' }, specs)).toEqual(['hf'])
    const noBias = { 'linear_1.weight': matrix(8, 4), 'linear_2.weight': matrix(8, 8) }
    expect(layoutsOf(config, noBias)).toEqual(['hf'])
    const three = Object.fromEntries(
      [1, 2, 3].flatMap((i) => [
        [`linear_${i}.weight`, matrix(8, 8)],
        [`linear_${i}.bias`, vector(8)],
      ]),
    )
    expect(layoutsOf({ model_type: 'llava_llama' }, three)).toEqual(['llava', 'tinyllava'])
  })

  test('are none for what has no parameters, or other ones', () => {
    expect(layoutsOf({}, {})).toEqual([])
    expect(layoutsOf({}, { latents: matrix(2, 2) })).toEqual([])
    expect(layoutsOf({}, { 'linear_1.weight': matrix(2, 2), 'linear_3.weight': matrix(2, 2) })).toEqual([])
  })
})

describe('key names', () => {
  test('are the original projects’', async () => {
    const names = async (name: keyof typeof connectorCases, layout: ConnectorLayout) =>
      keys((await exported(name, layout)).files, layout)
    const ends = (prefix: string, layers: readonly (string | number)[]) =>
      layers.flatMap((layer) => [`${prefix}${layer}.bias`, `${prefix}${layer}.weight`])
    expect(await names('llava-original', 'llava')).toEqual(ends('model.mm_projector.', [0, 2]))
    expect(await names('llava-original', 'hf')).toEqual(ends('multi_modal_projector.linear_', [1, 2]))
    expect(await names('llava-clip-llama', 'tinyllava')).toEqual(ends('_connector.', [0, 2]))
    expect(await names('llava-v1-linear', 'llava')).toEqual(ends('model.', ['mm_projector']))
    expect(await names('llava-v1-linear', 'tinyllava')).toEqual(ends('', ['_connector']))
    expect(await names('cambrian grid', 'cambrian')).toEqual([
      'model.image_newline',
      ...ends('model.mm_projector.', [0, 2]),
    ])
  })

  test('of Cambrian-1 are all those that it trains, and it finds each', async () => {
    const { files, specs } = await exported('cambrian-llama3', 'cambrian')
    const names = keys(files, 'cambrian')
    expect(names).toHaveLength(Object.keys(specs).length)
    for (const name of [
      'model.vision_query',
      'model.image_newline',
      'model.mm_projector.2.weight',
      'model.mm_projector_aux_3.0.weight',
      'model.vision_sampler_0.layers.2.cross_attn.q_proj.1.weight',
      'model.vision_sampler_layers.1.layers.0.pos_embed_3',
    ]) {
      expect(names).toContain(name)
    }
    // Its loader takes what follows these words, all of them and no other.
    const parts = ['mm_projector', 'vision_sampler_0', 'vision_sampler_layers'].concat(
      [0, 1, 2, 3].map((t) => `mm_projector_aux_${t}`),
    )
    const found = names.filter((name) => parts.filter((part) => name.includes(`${part}.`)).length === 1)
    expect(found).toHaveLength(names.length - 2)
  })
})

describe('an export', () => {
  test('holds the weights in f32 under a header that transformers accepts', async () => {
    const { files, tensors } = await exported('llava-clip-llama', 'hf')
    const { tensors: entries, metadata } = header(files, 'hf')
    expect(metadata).toEqual({
      format: 'pt',
      library: 'trilobite',
      layout: 'hf',
      model: run.model,
      run: run.name,
      step: '2',
    })
    const { bytes } = files[0]!
    for (const { name, dtype, shape, start, end } of entries) {
      const own = tensors.get(name.replace('multi_modal_projector.', ''))!
      expect([dtype, shape]).toEqual(['F32', own.shape])
      expect(new Float32Array(bytes.slice(start, end).buffer)).toEqual(own.data)
    }
  })

  test('has every file, each where its project looks for it', async () => {
    const { files } = await exported('llava-clip-llama', 'tinyllava')
    expect(files.map(({ path }) => path)).toEqual([
      'connector/model.safetensors',
      'config.json',
      'recipe.json',
      'log.jsonl',
      'log.csv',
      'README.md',
    ])
    const lines = textOf(files, 'log.jsonl').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(log)
    const table = textOf(files, 'log.csv').trimEnd().split('\r\n')
    expect(table.map((line) => line.split(',').slice(0, 2))).toEqual([
      ['step', 'loss'],
      ['1', '5.25'],
      ['2', '4.125'],
      ['3', '3.0625'],
    ])
    expect(JSON.parse(textOf(files, 'recipe.json'))).toMatchObject({
      recipe: run.recipe,
      dataset: run.dataset,
      model: run.model,
      run: { id: run.id, name: run.name },
      step: 2,
      versions,
    })
  })

  test('is refused in a layout that the connector does not have', async () => {
    await expect(exported('cambrian-llama3', 'llava')).rejects.toThrow(TrainingError)
    await expect(exported('cambrian-llama3', 'llava')).rejects.toThrow(
      'export: expected a layout that this connector has (cambrian), got llava; choose another layout',
    )
    await expect(exported('llava-v1-linear', 'hf')).rejects.toThrow('(llava, tinyllava), got hf')
  })
})

describe('config.json', () => {
  const configOf = async (name: keyof typeof connectorCases, layout: ConnectorLayout) =>
    JSON.parse(textOf((await exported(name, layout)).files, 'config.json')) as Record<string, unknown>

  test('is LLaVA’s of a pretraining, from its own and from transformers’', async () => {
    const { config } = await connectorCases['llava-original']()
    expect(await configOf('llava-original', 'llava')).toEqual({
      ...config,
      mm_projector_lr: null,
      tune_mm_mlp_adapter: true,
    })
    const fromHf = await configOf('llava-clip-llama', 'llava')
    expect(fromHf).toMatchObject({
      architectures: ['LlavaLlamaForCausalLM'],
      model_type: 'llava_llama',
      hidden_size: 96,
      num_hidden_layers: 2,
      mm_hidden_size: 64,
      mm_projector_type: 'mlp2x_gelu',
      mm_vision_select_layer: -2,
      mm_vision_select_feature: 'patch',
      use_mm_proj: true,
    })
    expect(fromHf).not.toHaveProperty('mm_vision_tower')
    expect(fromHf).not.toHaveProperty('text_config')
  })

  test('is transformers’ own, or made from LLaVA’s', async () => {
    const { config } = await connectorCases['llava-clip-llama']()
    expect(await configOf('llava-clip-llama', 'hf')).toEqual(config)
    const made = await configOf('llava-original', 'hf')
    expect(made).toMatchObject({
      model_type: 'llava',
      text_config: { model_type: 'llama', hidden_size: 96, vocab_size: 576 },
      vision_feature_layer: -2,
      vision_feature_select_strategy: 'default',
      vision_config: { model_type: 'clip_vision_model', hidden_size: 64, image_size: 84 },
    })
    expect(Object.keys(made['text_config'] as object).filter((name) => /^(mm|tune)_/.test(name))).toEqual([])
  })

  test('keeps apart whole floats and integers, which JavaScript does not', async () => {
    const text = textOf((await exported('llava-clip-llama', 'hf')).files, 'config.json')
    for (const line of [
      '"initializer_factor": 1.0,',
      '"rope_theta": 10000.0,',
      '"attention_dropout": 0.0,',
    ]) {
      expect(text).toContain(line)
    }
    expect(text).toContain('"rms_norm_eps": 0.00001,')
    expect(text).toContain('"hidden_size": 64,')
    expect(text).toContain('"vision_feature_layer": -2,')
  })

  test('says to TinyLLaVA and Cambrian-1 what their connectors are', async () => {
    expect(await configOf('llava-v1-linear', 'tinyllava')).toMatchObject({
      model_type: 'tinyllava',
      connector_type: 'linear',
      hidden_size: 80,
      vision_hidden_size: 48,
      vision_feature_select_strategy: 'patch',
      vision_model_name_or_path: 'openai/clip-vit-large-patch14',
    })
    expect(await configOf('cambrian-llama3', 'cambrian')).toMatchObject({
      model_type: 'cambrian_llama',
      connector_depth: 3,
      mm_vision_sampler_lr: 1e-4,
      tune_mm_mlp_adapter: true,
    })
  })
})

describe('the model card', () => {
  const cardOf = async (name: keyof typeof connectorCases, layout: ConnectorLayout) =>
    textOf((await exported(name, layout)).files, 'README.md')

  test('begins with the hub’s front matter, without a license that nobody knows', async () => {
    const card = await cardOf('llava-clip-llama', 'hf')
    expect(card.split('\n---\n')[0]).toBe(
      [
        '---',
        'base_model: "owner/tiny-llava"',
        'library_name: transformers',
        'pipeline_tag: image-text-to-text',
        'tags:',
        '  - "trilobite"',
        '  - "connector"',
        '  - "stage-1"',
        '  - "vision-language"',
        '  - "llava-1.5"',
      ].join('\n'),
    )
  })

  test('tells what was trained on what and how it went up to the checkpoint', async () => {
    const card = await cardOf('llava-clip-llama', 'hf')
    for (const row of [
      '# Cats \\| and dogs',
      '| text width | 96 |',
      '| vision width | 64 |',
      '| parameters | 15,552 |',
      '| Rows | 1,200 |',
      '| Left out (missing or broken) | 3 |',
      '| Kept for validation | 2 |',
      '| Steps | 2 of 150 |',
      '| Training loss, first step | 5.2500 |',
      '| Training loss, last step | 4.1250 |',
      '| Training loss, mean of the last 2 steps | 4.6875 |',
      '| Learned tokens | 80 |',
      '| Validation loss, step 1 | 5.5000 |',
      '| Validation loss, step 2 | 4.2500 |',
      '| a.png | a &lt;unk> cat | a cat \\| sits |',
      '| Learning rate | 0.001 |',
      '| Length | 1 epoch |',
      '| Batch | 8 (4 x 2 micro-batches) |',
      '| Trilobite | 0.1.0 |',
    ]) {
      expect(card.split('\n')).toContain(row)
    }
    expect(card).not.toContain('3.0625')
    const sampler = '| Learning rate of the vision sampler | 0.0001 |'
    expect(card).not.toContain(sampler)
    expect(await cardOf('cambrian-llama3', 'cambrian')).toContain(sampler)
  })

  test('tells each value of the recipe, and what it began with', async () => {
    const { specs, config } = await connectorCases['cambrian-llama3']()
    const tensors = randomTensors(specs)
    const cardFor = (changes: Partial<Recipe>, more: Partial<RunInfo> = {}) => {
      const recipe = { ...run.recipe, ...changes }
      const of = { ...run, ...more, recipe }
      const layout = 'cambrian' as const
      return textOf(
        exportConnector({ tensors, layout, run: of, log, modelConfig: config, versions }),
        'README.md',
      )
    }
    const others: { [name in keyof Recipe]: Recipe[name] } = {
      name: 'mine',
      template: 'model',
      captionEnd: 'eos',
      start: 'in-use',
      imageAspectRatio: 'pad',
      learningRate: 0.0123,
      samplerLearningRate: 0.0124,
      schedule: 'linear',
      warmupRatio: 0.125,
      beta1: 0.8125,
      beta2: 0.8126,
      epsilon: 1e-5,
      weightDecay: 0.25,
      maxGradNorm: 2,
      batchSize: 3,
      accumulate: 5,
      epochs: 17,
      steps: 23,
      maxTokens: 345,
      seed: 6789,
    }
    expect(Object.keys(others).sort()).toEqual(Object.keys(run.recipe).sort())
    const usual = cardFor({})
    for (const [field, value] of Object.entries(others)) {
      expect(cardFor({ [field]: value }), field).not.toBe(usual)
    }
    expect(usual).toContain('| Pictures that are no squares | as the model does for a chat |')
    expect(usual).toContain('| Starts from | a new connector |')
    expect(cardFor({ start: 'in-use' }, { startedFrom: 'my run' })).toContain(
      '| Starts from | the connector in use (my run) |',
    )
  })

  test('stands for a run that learned nothing, and names the connector it began with', async () => {
    const { specs, config } = await connectorCases['llava-original']()
    const files = exportConnector({
      tensors: randomTensors(specs),
      layout: 'llava',
      run: { ...run, startedFrom: 'other' },
      log: [{ ...log[0]!, skipped: true, loss: NaN, samples: 0 } as LogRecord],
      modelConfig: config,
      versions,
    })
    const card = textOf(files, 'README.md')
    expect(card).toContain('| Steps that changed nothing (not finite, or no usable row) | 1 |')
    expect(card).not.toContain('NaN')
    expect(JSON.parse(textOf(files, 'recipe.json'))).toMatchObject({ startedFrom: 'other' })
  })

  test.each([
    ['llava-original', 'llava', '--vision_tower openai/clip-vit-large-patch14-336'],
    ['llava-original', 'llava', "torch.save(s.load_file('mm_projector.safetensors'), 'mm_projector.bin')"],
    ['llava-clip-llama', 'llava', 'TOWER is the repository'],
    ['llava-clip-llama', 'hf', 'projector.load_state_dict('],
    [
      'llava-clip-llama',
      'tinyllava',
      'model.connector.load_state_dict(load_file("connector/model.safetensors"))',
    ],
    ['cambrian-llama3', 'cambrian', '--mm_projector_type sva'],
  ] as const)('of %s for %s says how to load it: %s', async (name, layout, text) => {
    expect(await cardOf(name, layout)).toContain(text)
  })

  test('stands for a run that has not begun, in a model that is on no hub', async () => {
    const { specs, config } = await connectorCases['llava-original']()
    const files = exportConnector({
      tensors: randomTensors(specs),
      layout: 'llava',
      run: { ...run, model: 'my folder', checkpointStep: 0 },
      log: [],
      modelConfig: config,
      versions,
    })
    const card = textOf(files, 'README.md')
    expect(card).toContain('| Steps | 0 of 150 |')
    expect(card).not.toContain('base_model')
    expect(card).not.toMatch(/NaN|undefined/)
  })
})
