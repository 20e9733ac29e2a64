import { describe, expect, test } from 'vitest'
import { memorySource } from './checkpoint/testing/memory-source'
import { stateDictPickle, tensorPiece, torchFile } from './checkpoint/testing/torch-file'
import { openModel } from './checkpoint-files'
import { causalLm } from './family/causal-lm'
import { blueprintSpecs } from './family/definition'

const config = {
  model_type: 'llama',
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  vocab_size: 32,
  tie_word_embeddings: true,
}

/** A pickled Llama whose lm_head lies on the embedding's bytes, as torch.save writes tied tables, or on its own. */
async function pickled(headKey: 'shared' | 'own') {
  const specs = blueprintSpecs(await causalLm.blueprint(config))
  const storages: Record<string, Uint8Array> = {}
  const tensors = Object.entries(specs).map(([name, { shape }], i) => {
    const numel = shape.reduce((a, b) => a * b, 1)
    const embedding = Object.keys(specs).indexOf('language.model.embed_tokens.weight')
    const key = String(name.endsWith('lm_head.weight') && headKey === 'shared' ? embedding : i)
    storages[key] = new Uint8Array(2 * numel)
    return [
      name.replace('language.', ''),
      tensorPiece({ storage: 'HalfStorage', numel, shape: [...shape], key }),
    ]
  })
  return memorySource({
    'config.json': JSON.stringify(config),
    'pytorch_model.bin': torchFile(stateDictPickle(Object.fromEntries(tensors)), storages),
  })
}

describe('tied tables in a pickle', () => {
  test('on the same bytes are one weight', async () => {
    const { tensors, tied } = await openModel(await pickled('shared'))
    expect(tensors.has('language.lm_head.weight')).toBe(false)
    expect(tied).toEqual({ 'language.lm_head.weight': 'language.model.embed_tokens.weight' })
  })

  test('on bytes of their own stay two', async () => {
    const { tensors, tied } = await openModel(await pickled('own'))
    expect(tensors.has('language.lm_head.weight')).toBe(true)
    expect(tied).toEqual({})
  })
})
