import { beforeAll, describe, expect, test } from 'vitest'
import { Arena } from '../../kernels'
import { testGpu } from '../../kernels/testing/gpu'
import { GoldenCase } from '../../worker/testing/golden'
import { under } from '../parameters'
import { storeFrom } from '../testing/store'
import { readJson, readTower, runTower } from '../testing/tower'
import { configureHfTower } from './hf-tower'
import { configureOpenClip } from './open-clip'

/** Absolute, as the reference's README suggests for a float32 engine. */
const TOLERANCE = { atol: 5e-4, rtol: 0 }

/** open_clip's name of a CLIP parameter -> Hugging Face's; three of them where the checkpoint stacks three. */
const SAME: readonly (readonly [RegExp, ...string[]])[] = [
  [/^visual\.class_embedding$/, 'embeddings.class_embedding'],
  [/^visual\.conv1\./, 'embeddings.patch_embedding.'],
  [/^visual\.positional_embedding$/, 'embeddings.position_embedding.weight'],
  [/^visual\.ln_pre\./, 'pre_layrnorm.'],
  [/^visual\.ln_post\./, 'post_layernorm.'],
  [/\.ln_(?=[12]\.)/, '.layer_norm'],
  [/\.attn\.in_proj_/, '.self_attn.q_proj.', '.self_attn.k_proj.', '.self_attn.v_proj.'],
  [/\.attn\.out_proj\./, '.self_attn.out_proj.'],
  [/\.mlp\.c_fc\./, '.mlp.fc1.'],
  [/\.mlp\.c_proj\./, '.mlp.fc2.'],
]

function sameAs(key: string): string[] {
  const [pattern, ...names] = SAME.find(([candidate]) => candidate.test(key))!
  return names.map((name) =>
    key.replace(pattern, name).replace('visual.transformer.resblocks.', 'encoder.layers.'),
  )
}

const BLOCK_KEYS = [
  'ln_1.weight',
  'ln_1.bias',
  'attn.in_proj_weight',
  'attn.in_proj_bias',
  'attn.out_proj.weight',
  'attn.out_proj.bias',
  'ln_2.weight',
  'ln_2.bias',
  'mlp.c_fc.weight',
  'mlp.c_fc.bias',
  'mlp.c_proj.weight',
  'mlp.c_proj.bias',
]
const KEYS = [
  'class_embedding',
  'conv1.weight',
  'positional_embedding',
  'ln_pre.weight',
  'ln_pre.bias',
  'ln_post.weight',
  'ln_post.bias',
  ...[0, 1, 2].flatMap((block) => BLOCK_KEYS.map((key) => `transformer.resblocks.${block}.${key}`)),
].map((key) => `visual.${key}`)

describe("open_clip's own ViT", () => {
  const golden = new GoldenCase('vision-clip')
  const output = { depth: 3, finalNorm: true }
  let values: Map<string, Float32Array<ArrayBuffer>>
  let openClip: ReturnType<typeof configureOpenClip>

  beforeAll(async () => {
    const config = readJson(golden.checkpoint, 'config.json') as Record<string, number>
    const hf = await configureHfTower(config, 'config.json:')
    const hfValues = await readTower(golden.checkpoint, hf, output)
    const width = config['hidden_size']!
    const vision_cfg = {
      layers: config['num_hidden_layers']!,
      width,
      head_width: width / config['num_attention_heads']!,
      mlp_ratio: config['intermediate_size']! / width,
      patch_size: config['patch_size']!,
      image_size: config['image_size']!,
    }
    openClip = configureOpenClip({ model_cfg: { quick_gelu: true, vision_cfg } }, 'open_clip_config.json:')
    values = new Map(
      KEYS.map((key) => {
        const parts = sameAs(key).map((name) => hfValues.get(name)!)
        return [openClip.rename(key, output)!, Float32Array.from(parts.flatMap((part) => [...part]))]
      }),
    )
  })

  test('has a parameter for every key', () => {
    expect([...values.keys()].sort()).toEqual(Object.keys(openClip.tower.params(output)).sort())
    expect(openClip.rename('visual.proj', output)).toBeUndefined()
    expect(openClip.rename('transformer.resblocks.0.ln_1.weight', output)).toBeUndefined()
  })

  test.each([
    ['hidden_states.2', { depth: 2 }],
    ['hidden_states.3', { depth: 3 }],
  ] as const)('gives the %s that the same weights give under Hugging Face’s names', async (kind, taken) => {
    const gpu = await testGpu()
    const arena = new Arena(gpu)
    const specs = under('vision', openClip.tower.params(taken))
    const weights = storeFrom(gpu, arena, specs, (name) => values.get(name.slice('vision.'.length))!)
    const { tensors } = golden.facts.pictures[0]!
    const tower = openClip.tower.create(weights.at('vision'), taken)
    const [got] = await runTower(gpu, arena, tower, golden.tensor(tensors['pixel_values']!))
    expect(got).toBeClose(golden.tensor(tensors[kind]!).data, TOLERANCE)
    weights.destroy()
    arena.destroy()
  })
})
