import { createWriteStream } from 'node:fs'
import { mkdtemp, open, readdir, readFile, realpath, rm, stat, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { DatasetError } from '../model/errors'
import {
  expectPictureSize,
  heldOutBeside,
  isAnnotationFile,
  isHidden,
  openFolderDataset,
  openZip,
  pathInside,
  stemOf,
  unreadable,
  type Dataset,
  type Folder,
  type OpenDatasetOptions,
  type RandomAccess,
  type Spool,
} from '../model/train/dataset'

/** A listing that grows beyond this is of a whole disk rather than of a dataset. */
const MAX_LISTED = 5_000_000

/**
 * Opens data on this machine's disk: a file of rows (JSON, JSONL, CSV, TSV), a zip, or a folder that holds one of
 * rows or pictures with texts beside them. Pictures are looked for in `imagesFolder`, or else where the data is.
 *
 * Throws: DatasetError, AbortError.
 */
export async function openDiskDataset(
  dataFile: string,
  imagesFolder: string | undefined,
  options: OpenDatasetOptions = {},
): Promise<Dataset> {
  const file = resolve(dataFile)
  const info = await stat(file).catch((error: unknown) => {
    throw isMissing(error)
      ? new DatasetError(`dataset: there is no ${dataFile}; give a file of rows, a zip or a folder`)
      : unreadable(dataFile, error)
  })
  const pictures = imagesFolder === undefined ? undefined : await diskFolder(imagesFolder)
  if (info.isDirectory()) return openFolderDataset(new DiskFolder(file), { ...options, pictures })
  if (/\.zip$/i.test(file)) {
    const name = basename(file)
    const access = await FileAccess.open(file, name)
    const spool = options.spool ?? spoolToDisk
    const folder = await openZip(access, name, { ...options, spool }).catch(async (error: unknown) => {
      await access.close()
      throw error
    })
    return openFolderDataset(folder, { ...options, name: stemOf(name), pictures })
  }
  if (!isAnnotationFile(file)) {
    throw new DatasetError(`dataset: ${dataFile} is none of .json, .jsonl, .csv, .tsv, .zip or a folder`)
  }
  const parent = dirname(file)
  // Rows' paths may also be relative to their own file, if that lies among the pictures.
  const beside = imagesFolder === undefined ? '' : relative(resolve(imagesFolder), parent)
  const path = basename(file)
  return openFolderDataset(new DiskFolder(parent), {
    ...options,
    annotations: { path, heldOut: heldOutBeside(await readdir(parent), path) },
    pictures,
    annotationFolder: pathInside(beside) ?? '',
  })
}

async function diskFolder(path: string): Promise<DiskFolder> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isDirectory())
    throw new DatasetError(`dataset: there is no folder ${path}; give that of the pictures`)
  return new DiskFolder(resolve(path))
}

/** A folder on disk. Its listing is made when it is first needed: paths that are right as they stand do without. */
class DiskFolder implements Folder {
  readonly name: string
  private listing: Promise<string[]> | undefined

  constructor(private readonly root: string) {
    this.name = basename(root)
  }

  paths(): Promise<readonly string[]> {
    return (this.listing ??= list(this.root))
  }

  async sizeOf(path: string): Promise<number | undefined> {
    try {
      const info = await stat(this.locate(path))
      return info.isFile() ? info.size : undefined
    } catch (error) {
      if (isMissing(error)) return undefined
      throw unreadable(path, error)
    }
  }

  async bytes(path: string): Promise<Uint8Array> {
    const sizeBytes = await this.sizeOf(path)
    if (sizeBytes === undefined) throw new DatasetError(`dataset: ${path} is not in ${this.root}; add it`)
    expectPictureSize(path, sizeBytes)
    try {
      return new Uint8Array(await readFile(this.locate(path)))
    } catch (error) {
      throw unreadable(path, error)
    }
  }

  open(path: string): Promise<RandomAccess> {
    return FileAccess.open(this.locate(path), path)
  }

  /** Throws: DatasetError for a path that leads out of the folder. */
  private locate(path: string): string {
    const inside = pathInside(path)
    if (inside === undefined) throw new DatasetError(`dataset: ${path} leads out of ${this.root}`)
    return join(this.root, inside)
  }
}

/** All files below a folder, links followed, each folder once. */
async function list(root: string): Promise<string[]> {
  const paths: string[] = []
  const seen = new Set<string>()
  const pending = ['']
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const real = await realpath(join(root, folder))
    if (seen.has(real)) continue
    seen.add(real)
    const entries = await readdir(join(root, folder), { withFileTypes: true })
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) {
      if (isHidden(entry.name)) continue
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      const kind = entry.isSymbolicLink() ? await stat(join(root, path)).catch(() => entry) : entry
      if (kind.isDirectory()) pending.push(path)
      else if (kind.isFile()) paths.push(path)
    }
    if (paths.length > MAX_LISTED) {
      throw new DatasetError(
        `dataset: ${root} holds more than ${MAX_LISTED} files; give the pictures' own folder`,
      )
    }
  }
  return paths
}

/** A file that stays open. */
class FileAccess implements RandomAccess {
  private constructor(
    private readonly file: FileHandle,
    private readonly name: string,
    readonly sizeBytes: number,
    private readonly onClose: () => Promise<void>,
  ) {}

  static async open(path: string, name: string, onClose = async () => {}): Promise<FileAccess> {
    try {
      const file = await open(path)
      return new FileAccess(file, name, (await file.stat()).size, onClose)
    } catch (error) {
      throw unreadable(name, error)
    }
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - start)
    try {
      for (let offset = 0; offset < bytes.length;) {
        const { bytesRead } = await this.file.read(bytes, offset, bytes.length - offset, start + offset)
        if (bytesRead === 0) throw new Error(`it ended at byte ${start + offset}, before ${end}`)
        offset += bytesRead
      }
    } catch (error) {
      throw unreadable(this.name, error)
    }
    return bytes
  }

  async close(): Promise<void> {
    await this.file.close()
    await this.onClose()
  }
}

/** Unpacks to a temporary file that goes away when it is closed. */
const spoolToDisk: Spool = async (stream, name) => {
  const folder = await mkdtemp(join(tmpdir(), `trilobite-data-`))
  const remove = () => rm(folder, { recursive: true, force: true })
  const path = join(folder, 'rows')
  try {
    await pipeline(Readable.fromWeb(stream as NodeReadableStream), createWriteStream(path))
    return await FileAccess.open(path, name, remove)
  } catch (error) {
    await remove()
    throw error
  }
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG'
}
