import { readFileSync } from 'node:fs'
import { openDataset } from '../../model/train/dataset'
import type { Dataset } from '../../model/train/definition'
import { Runs } from '../../model/train/run-state'
import { MemoryRuns } from '../../model/train/run-store'
import { GOLDEN_RECIPE } from '../../model/train/testing/golden'
import { weightsOf, type NewRun } from '../../model/train/training-run'
import { HfTrainingCase } from '../../model/testing/training-case'
import { GREEDY } from '../../model/sampler'
import type { AskRequest } from '../api'
import type { Engine } from '../engine'

/** The smallest model that sees, chats and trains, and the least of each that goes through everything. */
export const smallCase = new HfTrainingCase('train-clip-llama')

export const loadSmall = (engine: Engine, dtype: 'f32' | 'f16' = 'f32') =>
  engine.loadFrom(smallCase.checkpoint, { dtype, contextLength: 256 }, () => {})

/** `name` makes the picture another one, which is encoded anew. */
export const smallQuestion = (name = ''): AskRequest => {
  const { image } = smallCase.facts.samples[0]!
  const blob = new Blob([smallCase.imageBytes(image)])
  return {
    messages: [{ role: 'user', text: 'What is it?', images: [{ id: image + name, blob }] }],
    sampling: { ...GREEDY, temperature: 0.7, seed: 5 },
    maxNewTokens: 8,
  }
}

export const smallDataset = (): Promise<Dataset> =>
  openDataset({
    kind: 'files',
    files: [
      { path: 'data.json', file: new File([readFileSync(smallCase.dataFile, 'utf8')], 'data.json') },
      ...smallCase.facts.samples.map(({ image }) => ({
        path: image,
        file: new File([smallCase.imageBytes(image)], image),
      })),
    ],
  })

export const smallRun = (changes: Partial<NewRun> = {}): NewRun => ({
  recipe: { ...GOLDEN_RECIPE, batchSize: 2, accumulate: 1, steps: 4 },
  name: 'small',
  heldOut: 1,
  evaluateEvery: 0,
  captions: 1,
  checkpointEvery: 2,
  ...changes,
})

/** The connector that a run ended with, as bytes of each of its parameters. */
export async function trainedBytes(files: MemoryRuns, run: string): Promise<[string, Uint8Array][]> {
  const weights = weightsOf(await new Runs(files).readCheckpoint(run))
  return [...weights].map(([name, { buffer }]) => [name, new Uint8Array(buffer)])
}
