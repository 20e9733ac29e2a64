import { TrainingError } from '../model/errors'
import { checkFileName, chunksOf, UNFINISHED, type FileRange, type RunFiles } from '../model/train/run-store'
import type { MovableFile } from './opfs-store'

const FOLDER = 'trilobite-runs'
/** Of reading a file that is being replaced: writing takes longer than reading, so that few are in vain. */
const ATTEMPTS = 10

/**
 * Opens the training runs that this browser keeps for the page's origin, a folder each. For dedicated workers: pages have
 * no synchronous files.
 *
 * Throws: Error where the browser keeps no files, as in some private modes.
 */
export async function openOpfsRuns(storage: StorageManager): Promise<RunFiles> {
  const root = await storage.getDirectory()
  return new OpfsRuns(storage, await root.getDirectoryHandle(FOLDER, { create: true }))
}

class OpfsRuns implements RunFiles {
  constructor(
    private readonly storage: StorageManager,
    private readonly folder: FileSystemDirectoryHandle,
  ) {}

  async runs(): Promise<string[]> {
    const names: string[] = []
    for await (const [name, { kind }] of this.folder.entries()) if (kind === 'directory') names.push(name)
    return names
  }

  async read(
    run: string,
    name: string,
    { start, end }: FileRange = {},
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const file = await (await this.find(run, name))?.getFile()
        return file && new Uint8Array(await file.slice(start, end).arrayBuffer())
      } catch (error) {
        // A file that is written anew between being opened and being read is an error in browsers, not the old bytes.
        if (attempt === ATTEMPTS || !isReplaced(error)) throw error
      }
    }
  }

  async write(run: string, name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const final = checkFileName(name)
    const folder = await this.folder.getDirectoryHandle(checkFileName(run), { create: true })
    const chunks = chunksOf(bytes)
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    const unfinished = final + UNFINISHED
    try {
      const file = (await folder.getFileHandle(unfinished, { create: true })) as MovableFile
      await withAccess(file, (access) => {
        // Something of an earlier death may stand in it.
        access.truncate(0)
        let at = 0
        for (const chunk of chunks) at = writeAt(access, chunk, at)
      })
      await file.move(final)
    } catch (error) {
      await folder.removeEntry(unfinished).catch(() => {})
      throw await this.failure(run, name, sizeBytes, error)
    }
  }

  async append(run: string, name: string, text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text)
    checkFileName(name)
    const folder = await this.folder.getDirectoryHandle(checkFileName(run), { create: true })
    try {
      await withAccess(await folder.getFileHandle(name, { create: true }), (access) => {
        const before = access.getSize()
        try {
          writeAt(access, bytes, before)
        } catch (error) {
          // No half a line stays where there was no room for the whole.
          access.truncate(before)
          throw error
        }
      })
    } catch (error) {
      throw await this.failure(run, name, bytes.byteLength, error)
    }
  }

  async truncate(run: string, name: string, sizeBytes: number): Promise<void> {
    const file = await this.find(run, name)
    if (!file) return
    try {
      await withAccess(file, (access) => {
        if (access.getSize() > sizeBytes) access.truncate(sizeBytes)
      })
    } catch (error) {
      throw await this.failure(run, name, 0, error)
    }
  }

  async size(run: string, name: string): Promise<number | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await (await this.find(run, name))?.getFile())?.size
      } catch (error) {
        if (attempt === ATTEMPTS || !isReplaced(error)) throw error
      }
    }
  }

  async remove(run: string): Promise<void> {
    try {
      await this.folder.removeEntry(checkFileName(run), { recursive: true })
    } catch (error) {
      if (isMissing(error)) return
      if (!(error instanceof DOMException)) throw error
      throw new TrainingError(
        `runs: ${run} cannot be deleted (${error.message}); close other tabs that train it, then try again`,
      )
    }
  }

  private async find(run: string, name: string): Promise<FileSystemFileHandle | undefined> {
    try {
      const folder = await this.folder.getDirectoryHandle(checkFileName(run))
      return await folder.getFileHandle(checkFileName(name))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  private async failure(run: string, name: string, sizeBytes: number, error: unknown): Promise<Error> {
    if (!(error instanceof NoRoom) && !(error instanceof DOMException)) return error as Error
    if (error instanceof NoRoom || error.name === 'QuotaExceededError') {
      const { usage, quota } = await this.storage.estimate()
      const megabytes = (bytes: number | undefined) => `${Math.ceil((bytes ?? 0) / 1e6)} MB`
      return new TrainingError(
        `runs: expected room for ${megabytes(sizeBytes)} of ${name}, got none beside ${megabytes(usage)} in use of ` +
          `${megabytes(quota)} that this site may fill; delete runs, or free disk space`,
      )
    }
    return new TrainingError(
      `runs: ${name} of ${run} cannot be written (${error.message}); close other tabs that train it, then go on`,
    )
  }
}

class NoRoom extends Error {}

/** Returns: where the next chunk begins. */
function writeAt(access: FileSystemSyncAccessHandle, chunk: Uint8Array, at: number): number {
  const written = access.write(chunk as Uint8Array<ArrayBuffer>, { at })
  if (written !== chunk.byteLength) throw new NoRoom()
  return at + written
}

/** Opens a file for writing alone, and closes it when what was written is on the disk. */
async function withAccess(
  file: FileSystemFileHandle,
  use: (access: FileSystemSyncAccessHandle) => void,
): Promise<void> {
  const access = await file.createSyncAccessHandle()
  try {
    use(access)
    access.flush()
  } finally {
    access.close()
  }
}

function isReplaced(error: unknown): boolean {
  return isMissing(error) || (error instanceof DOMException && error.name === 'NotReadableError')
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'NotFoundError'
}
