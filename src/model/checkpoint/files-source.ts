import { CheckpointError, NetworkError } from '../errors'
import { throwIfAborted } from './retry'
import {
  checkPath,
  decodeText,
  MAX_TEXT_BYTES,
  textTooLarge,
  type CheckpointSource,
  type FilesLocation,
} from './source'

/**
 * Files the visitor picked or dropped. Paths may carry the name of the picked folder; what all share is cut off.
 *
 * Throws: CheckpointError when there is no config.json at the top, or two files have one path.
 */
export function filesSource(location: Omit<FilesLocation, 'kind'>): CheckpointSource {
  const { name } = location
  const files = new Map<string, File>()
  for (const { path, file } of withoutCommonFolder(location.files, name)) {
    if (files.has(path)) {
      throw new CheckpointError(
        `${name}: expected each file once, got ${path} twice; pick the files of one folder only`,
      )
    }
    files.set(path, file)
  }
  if (!files.has('config.json')) throw missingConfig(name, [...files.keys()])

  return {
    name,
    async sizeOf(path, signal) {
      throwIfAborted(signal)
      return files.get(checkPath(path, name))?.size
    },
    async readText(path, { signal, maxBytes = MAX_TEXT_BYTES } = {}) {
      throwIfAborted(signal)
      const file = files.get(checkPath(path, name))
      if (!file) return undefined
      const where = `${name}: ${path}`
      if (file.size > maxBytes) throw textTooLarge(where, maxBytes, file.size)
      const bytes = await file.arrayBuffer().catch((error: unknown) => {
        throw unreadable(where, error)
      })
      throwIfAborted(signal)
      return decodeText(new Uint8Array(bytes), where)
    },
    async stream(path, { start = 0, end, signal } = {}) {
      throwIfAborted(signal)
      const file = files.get(checkPath(path, name))
      if (!file) {
        throw new NetworkError(
          `${name}: ${path}: expected this file among the picked ones, it is not there; pick the whole folder`,
        )
      }
      return file.slice(start, end).stream()
    },
  }
}

function withoutCommonFolder(
  files: readonly { path: string; file: File }[],
  name: string,
): { path: string; file: File }[] {
  const split = files.map(({ path, file }) => ({ parts: normalParts(path, name), file }))
  const first = split[0]?.parts ?? []
  let common = first.length - 1
  for (const { parts } of split) {
    let shared = 0
    while (shared < common && shared < parts.length - 1 && parts[shared] === first[shared]) shared++
    common = shared
  }
  return split.map(({ parts, file }) => ({ path: parts.slice(Math.max(0, common)).join('/'), file }))
}

function normalParts(path: string, name: string): string[] {
  const parts = path.split(/[/\\]/).filter((part) => part !== '' && part !== '.')
  checkPath(parts.join('/'), name)
  return parts
}

function missingConfig(name: string, paths: string[]): CheckpointError {
  const nested = paths.find((path) => path.endsWith('/config.json'))
  const came =
    paths.length === 0 ? 'no files' : `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ' ...' : ''}`
  const advice = nested
    ? `pick the folder ${nested.slice(0, -'/config.json'.length)} alone`
    : 'pick the folder that holds config.json, tokenizer.json and the weights'
  return new CheckpointError(
    `${name}: expected a config.json at the top of the folder, got ${came}; ${advice}`,
  )
}

function unreadable(where: string, error: unknown): NetworkError {
  const reason = error instanceof Error ? error.message : String(error)
  return new NetworkError(
    `${where}: expected a readable file, got: ${reason}; it may have been moved or changed, pick the folder again`,
  )
}
