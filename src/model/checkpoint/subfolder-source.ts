import { checkPath, type CheckpointSource } from './source'

/**
 * A folder inside a checkpoint's own, as a source of its own.
 *
 * Throws: CheckpointError for a path that could lead out.
 */
export function subfolderSource(source: CheckpointSource, folder: string): CheckpointSource {
  const prefix = `${checkPath(folder, source.name)}/`
  const within = (path: string) => prefix + path
  return {
    name: `${source.name}/${folder}`,
    ...(source.address !== undefined && { address: source.address + prefix }),
    get ignoresRanges() {
      return source.ignoresRanges ?? false
    },
    sizeOf: (path, signal) => source.sizeOf(within(path), signal),
    readText: (path, options) => source.readText(within(path), options),
    stream: (path, options) => source.stream(within(path), options),
    ...(source.sha256Of && { sha256Of: (path, signal) => source.sha256Of!(within(path), signal) }),
  }
}
