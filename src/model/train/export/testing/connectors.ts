import { DiskSource } from '../../../../cli/disk-source'
import { openModel, type OpenedModel } from '../../../checkpoint-files'
import { seededRandom } from '../../../checkpoint/testing/random'
import type { JsonObject } from '../../../config-reader'
import { gridConnector } from '../../../connector/grid'
import { mlp } from '../../../connector/mlp'
import type { ParameterSpecs } from '../../../parameters'
import { OriginalCase } from '../../../testing/original'
import type { ExportedFile, LogRecord, RunInfo } from '../../definition'
import { recipes } from '../../recipes'

/** A model's connector: its parameters and the model's config. */
export interface ConnectorCase {
  readonly specs: ParameterSpecs
  readonly config: JsonObject
  readonly towerConfig?: JsonObject
}

const golden = (name: string) =>
  new URL(`../../../../../e2e/golden/${name}/checkpoint`, import.meta.url).pathname

const of = ({ blueprint, config }: OpenedModel): ConnectorCase => ({
  specs: blueprint.vision!.connector.params(),
  config,
})

/** Connectors of recorded models, and of a Cambrian-1 without aggregator. */
export const connectorCases = {
  'llava-clip-llama': async () => of(await openModel(new DiskSource(golden('llava-clip-llama')))),
  'llava-original': async () => {
    const golden = new OriginalCase('llava-original')
    const opened = await golden.open()
    const tower = await golden.resolve(opened.config['mm_vision_tower'] as string).readText('config.json')
    return { ...of(opened), towerConfig: JSON.parse(tower!) as JsonObject }
  },
  'llava-v1-linear': async () => of(await new OriginalCase('llava-v1-linear').open()),
  'cambrian-llama3': async () => of(await new OriginalCase('cambrian-llama3').open()),
  'cambrian grid': async () => {
    const { config } = await new OriginalCase('cambrian-llama3').open()
    const grid = gridConnector(mlp, { textWidth: 80, visionWidths: [12, 20], imageTokens: 36 })
    return { specs: grid.params(), config: { ...config, mm_projector_type: 'mlp2x_gelu' } }
  },
} satisfies Record<string, () => Promise<ConnectorCase>>

/** Random weights for every parameter. */
export function randomTensors(specs: ParameterSpecs, seed = 1) {
  const random = seededRandom(seed)
  return new Map(
    Object.entries(specs).map(([name, { shape }]) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5)
      return [name, { shape, data }] as const
    }),
  )
}

export const run: RunInfo = {
  id: 'run-1',
  name: 'Cats | and\ndogs',
  model: 'owner/tiny-llava@main',
  createdAt: Date.UTC(2026, 2, 14, 15, 9),
  recipe: {
    ...recipes['llava-1.5'].recipe,
    samplerLearningRate: 1e-4,
    imageAspectRatio: 'model',
    batchSize: 4,
    accumulate: 2,
    seed: 7,
  },
  dataset: { name: 'pairs.json', fingerprint: 'f00d', rows: 1200, skipped: 3, heldOut: [5, 8] },
  state: 'paused',
  step: 3,
  steps: 150,
  checkpointStep: 2,
}

const step = (n: number, loss: number): LogRecord => ({
  type: 'step',
  step: n,
  loss,
  microLosses: [loss, loss],
  lr: 1e-3,
  gradNorm: 1,
  tokens: 100,
  learnedTokens: 40,
  samples: 8,
  ms: 12,
})

/** Of which the third step is behind the checkpoint. */
export const log: LogRecord[] = [
  step(1, 5.25),
  { type: 'evaluation', step: 1, loss: 5.5, samples: 2 },
  step(2, 4.125),
  { type: 'evaluation', step: 2, loss: 4.25, samples: 2 },
  { type: 'caption', step: 2, row: 5, image: 'a.png', truth: 'a cat | sits', caption: 'a <unk> cat' },
  step(3, 3.0625),
]

/** Exported files as a visitor picks them again, in a folder. */
export const asPicked = (files: readonly ExportedFile[], folder = 'my-connector') =>
  files.map(({ path, bytes }) => ({ path: `${folder}/${path}`, file: new File([bytes], path) }))

export const textOf = (files: readonly ExportedFile[], path: string) =>
  new TextDecoder().decode(files.find((file) => file.path === path)!.bytes)
