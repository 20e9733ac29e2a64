import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { CheckpointError } from '../model/errors'
import { importConnector } from '../model/train/export/import'
import { connectorSpecs } from '../model/train/trained-connector'
import type { Engine } from '../worker/engine'
import type { ConnectorInfo } from '../worker/training-api'
import { DiskSource } from './disk-source'

/**
 * Lets the loaded model chat through an exported connector: a folder that holds one, or a file of its weights.
 *
 * Throws: CheckpointError where it is missing or does not fit the model.
 */
export async function useConnector(engine: Engine, path: string): Promise<ConnectorInfo> {
  const info = await stat(path).catch(() => undefined)
  if (!info) {
    throw new CheckpointError(
      `connector: there is no ${path}; give a folder that was exported, a .safetensors file or mm_projector.bin`,
    )
  }
  const expected = connectorSpecs(engine.loaded!.opened.blueprint)
  const { name, tensors } = info.isDirectory()
    ? await importConnector(new DiskSource(path), expected)
    : await importConnector(new DiskSource(dirname(path)), expected, { weightFiles: [basename(path)] })
  return engine.training.put(tensors, { name })
}
