import { WEIGHT_FILES } from '../../checkpoint/checkpoint'
import {
  checkPath,
  decodeText,
  MAX_TEXT_BYTES,
  textTooLarge,
  type CheckpointSource,
} from '../../checkpoint/source'
import { throwIfAborted } from '../../checkpoint/retry'
import { CheckpointError, NetworkError } from '../../errors'
import { WEIGHTS_FILE } from './layouts'

/** A file as it was picked or dropped; the path may begin with folders. */
export interface PickedFile {
  readonly path: string
  readonly file: File
}

/** Where connectors lie, the first that is there being read: exported ones, original projects', whole checkpoints. */
export const CONNECTOR_FILES: readonly string[] = [
  WEIGHTS_FILE.llava,
  'mm_projector.bin',
  WEIGHTS_FILE.tinyllava,
  'connector/pytorch_model.bin',
  'non_lora_trainables.bin',
  ...WEIGHT_FILES,
]

/**
 * Finds the weights among picked files: one of the usual names in the uppermost folder that has it, or else the only
 * file of weights there is.
 *
 * Returns: a source of that folder's files, and which of them to read.
 * Throws: CheckpointError where there is none, or more than one to choose from.
 */
export function pickConnector(picked: readonly PickedFile[]): { source: CheckpointSource; path: string } {
  const files = new Map(picked.map(({ path, file }) => [normalPath(path), file]))
  for (const name of CONNECTOR_FILES) {
    const folders = [...files.keys()]
      .filter((path) => path === name || path.endsWith(`/${name}`))
      .map((path) => path.slice(0, -name.length))
      .sort((a, b) => depth(a) - depth(b))
    const [folder, other] = folders
    if (folder === undefined) continue
    if (other !== undefined && depth(other) === depth(folder)) throw ambiguous([folder + name, other + name])
    return { source: folderSource(files, folder), path: name }
  }
  const weights = [...files.keys()].filter((path) => /\.(?:safetensors|bin|pt|pth)$/i.test(path))
  if (weights.length > 1) throw ambiguous(weights)
  const [path] = weights
  if (path !== undefined) return { source: folderSource(files, ''), path }
  throw new CheckpointError(
    `import: expected a connector's weights (a .safetensors file, or mm_projector.bin), got ${listed([...files.keys()])}; ` +
      'pick the file, or the folder that was exported',
  )
}

const depth = (folder: string) => folder.split('/').length

function normalPath(path: string): string {
  const parts = path.split(/[/\\]/).filter((part) => part !== '' && part !== '.')
  return checkPath(parts.join('/'), 'import')
}

const ambiguous = (paths: readonly string[]) =>
  new CheckpointError(
    `import: expected one connector, got ${listed(paths)}; pick the file, or the folder, of one of them`,
  )

function listed(paths: readonly string[]): string {
  if (paths.length === 0) return 'no file'
  return `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ` and ${paths.length - 5} more` : ''}`
}

/** Files below a folder of the picked ones. */
function folderSource(files: ReadonlyMap<string, File>, folder: string): CheckpointSource {
  const name = folder === '' ? 'import' : folder.slice(0, -1)
  const at = (path: string) => files.get(folder + checkPath(path, name))
  return {
    name,
    async sizeOf(path, signal) {
      throwIfAborted(signal)
      return at(path)?.size
    },
    async readText(path, { signal, maxBytes = MAX_TEXT_BYTES } = {}) {
      throwIfAborted(signal)
      const file = at(path)
      if (!file) return undefined
      const where = `${name}: ${path}`
      if (file.size > maxBytes) throw textTooLarge(where, maxBytes, file.size)
      return decodeText(new Uint8Array(await file.arrayBuffer()), where)
    },
    async stream(path, { start = 0, end, signal } = {}) {
      throwIfAborted(signal)
      const file = at(path)
      if (file) return file.slice(start, end).stream()
      throw new NetworkError(`${name}: ${path}: expected this file among the picked ones, it is not there`)
    },
  }
}
