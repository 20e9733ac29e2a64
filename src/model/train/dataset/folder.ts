import { DatasetError } from '../../errors'
import { BlobAccess, megabytes, unreadable, type RandomAccess } from './access'

/** Files that belong together: dropped ones, those of a zip, or a folder on disk. */
export interface Folder {
  /** What it is called by the reader; empty where nothing is known. */
  readonly name: string
  /** Of all but hidden files, relative to the folder, with `/` between names. */
  paths(): Promise<readonly string[]>
  /** Returns: undefined where there is no such file. */
  sizeOf(path: string): Promise<number | undefined>
  /** A whole file. Throws: DatasetError where it is missing, damaged or above MAX_PICTURE_BYTES. */
  bytes(path: string): Promise<Uint8Array>
  /** Throws: DatasetError, AbortError. */
  open(path: string, signal?: AbortSignal): Promise<RandomAccess>
  close?(): Promise<void>
}

/** No picture that is read whole is larger; a zip that says less but holds more is refused as well. */
export const MAX_PICTURE_BYTES = 64 << 20

/** What a file is called in a listing: names as Unicode composes them, since macOS decomposes them. */
export function listedPath(path: string): string {
  return path
    .replaceAll('\\', '/')
    .replace(/^(\.?\/)+/, '')
    .normalize('NFC')
}

/** Files that systems and editors put beside others: `.DS_Store`, `__MACOSX/._a.jpg`, `.ipynb_checkpoints/`. */
export function isHidden(path: string): boolean {
  return path.split('/').some((name) => name.startsWith('.') || name === '__MACOSX')
}

/** Everything before the last `/`; empty for a file at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** The name behind the last `/`. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The name without its extension. */
export function stemOf(path: string): string {
  return baseOf(path).replace(/\.[^.]*$/, '')
}

/** The deepest folder that all paths lie in; empty where there is none. */
export function commonFolder(paths: Iterable<string>): string {
  let common: string[] | undefined
  for (const path of paths) {
    const names = path.split('/').slice(0, -1)
    common ??= names
    const length = common.findIndex((name, i) => name !== names[i])
    if (length >= 0) common = common.slice(0, length)
    if (common.length === 0) break
  }
  return common?.join('/') ?? ''
}

/** Throws: DatasetError for a file that is too large to be a picture. */
export function expectPictureSize(path: string, sizeBytes: number): void {
  if (sizeBytes <= MAX_PICTURE_BYTES) return
  throw new DatasetError(
    `dataset: ${path} takes ${megabytes(sizeBytes)}, a picture may take ${megabytes(MAX_PICTURE_BYTES)}; scale it down`,
  )
}

/** Files that were dropped on the page or chosen there. */
export class DroppedFolder implements Folder {
  readonly name: string
  private readonly files: ReadonlyMap<string, Blob>

  constructor(files: Iterable<{ path: string; file: Blob }>) {
    this.files = new Map(Array.from(files, ({ path, file }) => [listedPath(path), file]))
    this.name = baseOf(commonFolder([...this.files.keys()].filter((path) => !isHidden(path))))
  }

  async paths(): Promise<readonly string[]> {
    return [...this.files.keys()].filter((path) => !isHidden(path))
  }

  async sizeOf(path: string): Promise<number | undefined> {
    return this.files.get(listedPath(path))?.size
  }

  async bytes(path: string): Promise<Uint8Array> {
    const file = this.find(path)
    expectPictureSize(path, file.size)
    try {
      return new Uint8Array(await file.arrayBuffer())
    } catch (error) {
      throw unreadable(path, error)
    }
  }

  async open(path: string): Promise<RandomAccess> {
    return new BlobAccess(this.find(path), path)
  }

  private find(path: string): Blob {
    const file = this.files.get(listedPath(path))
    if (!file) throw new DatasetError(`dataset: ${path} is not among the files; add it`)
    return file
  }
}
