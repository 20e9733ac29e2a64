import { writeSafetensors } from '../../checkpoint/safetensors-writer'
import type { JsonObject } from '../../config-reader'
import { TrainingError } from '../../errors'
import type { ExportedFile, LogRecord, RunInfo } from '../definition'
import { logCsv, logText } from '../log'
import { configText, exportedConfig } from './exported-config'
import { keyIn, layoutsOf, linearLayers, WEIGHTS_FILE, type ConnectorLayout } from './layouts'
import { modelCard } from './model-card'

export interface ExportRequest {
  /** Every parameter of the connector by the model's own names below `connector.`. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
  readonly layout: ConnectorLayout
  readonly run: RunInfo
  readonly log: readonly LogRecord[]
  /** config.json of the model that the connector was trained in. */
  readonly modelConfig: JsonObject
  /** config.json of its vision tower, where that lies in a repository of its own and the caller has it. */
  readonly towerConfig?: JsonObject | undefined
  /** What ran the training, for people: `{ Trilobite: '0.1.0', 'Graphics adapter': ... }`. */
  readonly versions: Readonly<Record<string, string>>
}

/**
 * A trained connector as files: weights under the key names of a layout, config, recipe, log and model card.
 *
 * Throws: TrainingError for a layout that the connector cannot be written in.
 */
export function exportConnector(request: ExportRequest): ExportedFile[] {
  const { tensors, layout, run, log, modelConfig, towerConfig, versions } = request
  const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, { shape }]))
  const layouts = layoutsOf(modelConfig, shapes)
  if (!layouts.includes(layout)) {
    throw new TrainingError(
      `export: expected a layout that this connector has (${layouts.join(', ') || 'it has none'}), got ${layout}; ` +
        'choose another layout',
    )
  }
  const config = exportedConfig(layout, modelConfig, shapes, { recipe: run.recipe, towerConfig })
  const card = modelCard({ layout, shapes, run, log, modelConfig, config, versions })
  return [
    { path: WEIGHTS_FILE[layout], bytes: weightsFile(request) },
    textFile('config.json', configText(config)),
    textFile('recipe.json', `${JSON.stringify(recipeFile(request), null, 2)}\n`),
    textFile('log.jsonl', logText(log)),
    textFile('log.csv', logCsv(log)),
    textFile('README.md', card),
  ]
}

function weightsFile({ tensors, layout, run }: ExportRequest): Uint8Array<ArrayBuffer> {
  const layers = linearLayers([...tensors.keys()])
  const named = [...tensors].map(([name, { shape, data }]) => ({
    name: keyIn(layout, name, layers),
    dtype: 'F32' as const,
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  }))
  // transformers asks for `format`.
  const metadata = {
    format: 'pt',
    library: 'trilobite',
    layout,
    model: run.model.toWellFormed(),
    run: run.name.toWellFormed(),
    step: `${run.checkpointStep}`,
  }
  return joined(writeSafetensors(named, metadata))
}

/** What it takes to train the same again, and from what it came. */
function recipeFile({ run, versions }: ExportRequest): JsonObject {
  const { recipe, dataset } = run
  return {
    format: 1,
    recipe: { ...recipe },
    model: run.model,
    ...(run.startedFrom !== undefined && { startedFrom: run.startedFrom }),
    run: { id: run.id, name: run.name, created: new Date(run.createdAt).toISOString() },
    step: run.checkpointStep,
    steps: run.steps,
    dataset: {
      name: dataset.name,
      fingerprint: dataset.fingerprint,
      rows: dataset.rows,
      skipped: dataset.skipped,
      heldOut: [...dataset.heldOut],
    },
    versions: { ...versions },
  }
}

const textFile = (path: string, text: string): ExportedFile => ({
  path,
  bytes: new TextEncoder().encode(text),
})

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}
