import { expect, test } from 'vitest'
import type { ChatModel } from '../model/chat-model'
import { OriginalCase } from '../model/testing/original'
import { Tokenizer } from '../model/tokenizer'
import type { Dataset, RunInfo } from '../model/train/definition'
import { randomTensors, run as known, textOf } from '../model/train/export/testing/connectors'
import { identityOf } from '../model/train/run-identity'
import type { RunRows } from '../model/train/run-rows'
import { writeSettings } from '../model/train/run-settings'
import { Runs } from '../model/train/run-state'
import { MemoryRuns } from '../model/train/run-store'
import { connectorSpecs } from '../model/train/trained-connector'
import { WEIGHTS } from '../model/train/training-run'
import { EngineTraining, type TrainingHost } from './training'

/** A run of a recorded model as it is kept behind its first checkpoint, and a training that finds it. */
async function kept(name: string, changes: Partial<RunInfo> = {}) {
  const opened = await new OriginalCase(name).open()
  const model = {
    opened,
    tokenizer: Tokenizer.from(opened),
    plan: { dtype: 'f32', towerDtype: 'f32' },
  } as unknown as ChatModel
  const runs = new Runs(new MemoryRuns())
  const { id, ...info } = { ...known, ...changes, checkpointStep: 0 }
  await runs.create(info, id)
  const identity = await identityOf(model, {} as Dataset, info.recipe, { fingerprint: 'r' } as RunRows)
  await writeSettings(runs, id, { ...identity, evaluateEvery: 0, captions: 0, checkpointEvery: 1 })
  const tensors = [...randomTensors(connectorSpecs(opened.blueprint))].map(
    ([parameter, { shape, data }]) => ({
      name: WEIGHTS + parameter,
      dtype: 'F32' as const,
      shape,
      data: new Uint8Array(data.buffer),
    }),
  )
  await runs.writeCheckpoint(id, { step: 2, updates: 2, skippedInARow: 0, tensors })
  const host = { runs: async () => runs, gpu: async () => ({ adapter: { description: 'a GPU' } }) }
  return { id, training: new EngineTraining(host as unknown as TrainingHost), opened }
}

test('a model whose tower lies in a repository of its own is exported with that tower’s config', async () => {
  const { id, training, opened } = await kept('llava-original')
  expect(opened.config).not.toHaveProperty('vision_config')
  const config = async (layout: 'llava' | 'hf' | 'tinyllava') =>
    JSON.parse(textOf(await training.exportRun(id, layout), 'config.json')) as Record<string, unknown>
  const tower = { model_type: 'clip_vision_model', hidden_size: 64, image_size: 84 }
  expect(await config('hf')).toMatchObject({ model_type: 'llava', vision_config: tower })
  expect(await config('tinyllava')).toMatchObject({ model_type: 'tinyllava', vision_config: tower })
  expect(await config('llava')).not.toHaveProperty('vision_config')
})

test('an export tells of the run what is kept of it', async () => {
  const dataset = { ...known.dataset, skipped: 7 }
  const { id, training } = await kept('llava-original', { startedFrom: 'mine', dataset })
  const files = await training.exportRun(id, 'llava')
  expect(textOf(files, 'README.md')).toContain('| Left out (missing or broken) | 7 |')
  expect(JSON.parse(textOf(files, 'recipe.json'))).toMatchObject({
    step: 2,
    startedFrom: 'mine',
    dataset: { skipped: 7 },
  })
})
