import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { TrainingError } from '../model/errors'
import {
  checkFileName,
  CHECKPOINT_FILE,
  chunksOf,
  INFO_FILE,
  LOG_FILE,
  UNFINISHED,
  type FileRange,
  type RunFiles,
} from '../model/train/run-store'

/** What the one run of a folder is called. */
export const ONLY_RUN = 'run'

const RUN_FILES = [INFO_FILE, CHECKPOINT_FILE, LOG_FILE]
/** Of one read or write: Node takes less than 2 GiB. */
const MOST_BYTES = 2 ** 30

/** Training runs in a folder of this machine's disk: each in a folder of its own, or one in the folder itself. */
export class DiskRuns implements RunFiles {
  private readonly folder: string
  private readonly only: boolean

  /** With `only`, the folder itself is the run `ONLY_RUN`, which may stand among other files. */
  constructor(folder: string, options: { only?: boolean } = {}) {
    this.folder = resolve(folder)
    this.only = options.only ?? false
  }

  async runs(): Promise<string[]> {
    try {
      const entries = await readdir(this.folder, { withFileTypes: true })
      if (this.only) return entries.some(({ name }) => RUN_FILES.includes(name)) ? [ONLY_RUN] : []
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    } catch (error) {
      if (isMissing(error)) return []
      throw failure(this.folder, 'cannot be read', error)
    }
  }

  async read(
    run: string,
    name: string,
    { start = 0, end = Infinity }: FileRange = {},
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = this.locate(run, name)
    let file: FileHandle | undefined
    try {
      file = await open(path)
      const bytes = new Uint8Array(Math.max(0, Math.min((await file.stat()).size, end) - start))
      let at = 0
      while (at < bytes.byteLength) {
        const length = Math.min(bytes.byteLength - at, MOST_BYTES)
        const { bytesRead } = await file.read(bytes, at, length, start + at)
        // It was cut meanwhile.
        if (bytesRead === 0) return bytes.slice(0, at)
        at += bytesRead
      }
      return bytes
    } catch (error) {
      if (isMissing(error)) return undefined
      throw failure(path, 'cannot be read', error)
    } finally {
      await file?.close()
    }
  }

  async write(run: string, name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const path = this.locate(run, name)
    const unfinished = path + UNFINISHED
    try {
      await this.makeFolder(run)
      await withFile(unfinished, 'w', async (file) => {
        for (const chunk of chunksOf(bytes)) await writeAll(file, chunk)
        // Before the name points to them, the bytes must be on the disk.
        await file.sync()
      })
      await rename(unfinished, path)
      await syncFolder(this.locate(run))
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {})
      throw failure(path, 'cannot be written', error)
    }
  }

  async append(run: string, name: string, text: string): Promise<void> {
    const path = this.locate(run, name)
    try {
      await this.makeFolder(run)
      await withFile(path, 'a', async (file) => {
        const before = (await file.stat()).size
        try {
          await writeAll(file, new TextEncoder().encode(text))
          await file.sync()
        } catch (error) {
          // No half a line stays where there was no room for the whole.
          await file.truncate(before).catch(() => {})
          throw error
        }
      })
    } catch (error) {
      throw failure(path, 'cannot be written', error)
    }
  }

  async truncate(run: string, name: string, sizeBytes: number): Promise<void> {
    const path = this.locate(run, name)
    try {
      await withFile(path, 'r+', async (file) => {
        if ((await file.stat()).size <= sizeBytes) return
        await file.truncate(sizeBytes)
        await file.sync()
      })
    } catch (error) {
      if (!isMissing(error)) throw failure(path, 'cannot be cut', error)
    }
  }

  async size(run: string, name: string): Promise<number | undefined> {
    const path = this.locate(run, name)
    try {
      return (await stat(path)).size
    } catch (error) {
      if (isMissing(error)) return undefined
      throw failure(path, 'cannot be read', error)
    }
  }

  async remove(run: string): Promise<void> {
    const folder = this.locate(run)
    try {
      if (!this.only) return await rm(folder, { recursive: true, force: true })
      // The folder is the user's: what else stands in it stays.
      for (const name of RUN_FILES.flatMap((name) => [name, name + UNFINISHED])) {
        await rm(join(folder, name), { force: true })
      }
    } catch (error) {
      throw failure(folder, 'cannot be deleted', error)
    }
  }

  private locate(run: string, name?: string): string {
    checkFileName(run)
    if (this.only && run !== ONLY_RUN) {
      throw new TrainingError(
        `runs: expected ${ONLY_RUN}, the only run of ${this.folder}, got ${run}; name that one`,
      )
    }
    const folder = this.only ? this.folder : join(this.folder, run)
    return name === undefined ? folder : join(folder, checkFileName(name))
  }

  private async makeFolder(run: string): Promise<void> {
    const folder = this.locate(run)
    const made = await mkdir(folder, { recursive: true })
    if (made !== undefined) await syncFolder(join(folder, '..'))
  }
}

async function withFile(
  path: string,
  flags: string,
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags)
  try {
    await use(file)
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    const length = Math.min(bytes.byteLength - at, MOST_BYTES)
    at += (await file.write(bytes, at, length)).bytesWritten
  }
}

/** Puts names on the disk. Windows opens no folders and needs none of this. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  await withFile(path, 'r', (folder) => folder.sync())
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function failure(path: string, what: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined) return error as Error
  const advice =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'free disk space, then go on'
      : 'check the folder and its permissions'
  return new TrainingError(`runs: ${path} ${what} (${message}); ${advice}`)
}
