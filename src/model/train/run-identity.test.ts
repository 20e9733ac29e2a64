import { expect, test } from 'vitest'
import type { ChatModel } from '../chat-model'
import { HfTrainingCase } from '../testing/training-case'
import { Tokenizer } from '../tokenizer'
import type { Dataset } from './definition'
import { recipes } from './recipes'
import { identityOf } from './run-identity'
import type { RunRows } from './run-rows'

test('a template chosen on loading is told from others where it is trained with', async () => {
  const opened = await new HfTrainingCase('train-clip-llama').open()
  const plan = { dtype: 'f32', towerDtype: 'f16' } as ChatModel['plan']
  const supervision = async (template: string, named?: string) => {
    const tokenizer = Tokenizer.from(opened, named)
    const recipe = { ...recipes['llava-1.5'].recipe, template }
    return (await identityOf({ opened, plan, tokenizer }, {} as Dataset, recipe, {} as RunRows)).supervision
  }
  const trained = await Promise.all([
    supervision('model', 'vicuna_v1'),
    supervision('model', 'llava_v1'),
    supervision('model', 'plain'),
    supervision('model'),
  ])
  expect(new Set(trained).size).toBe(4)
  expect(await supervision('model', 'llava_v1')).toBe(trained[1])
  expect(await supervision('plain', 'vicuna_v1')).toBe(await supervision('plain', 'llava_v1'))
})
