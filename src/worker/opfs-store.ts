import type { ByteStore, ByteWriter } from '../model/checkpoint/byte-store'
import { sha256 } from '../model/sha256'
import { UNFINISHED } from '../model/train/run-store'

/** Towers that come and go, what frozen towers gave for training pictures, and which kernels were measured to be fast. */
export type StoreFolder = 'trilobite-towers' | 'trilobite-features' | 'trilobite-tuning'
/** Begins every name. Another way to name or to fill the files takes another version. */
const VERSION = 'v1-'
/** The rest of what the browser grants is left to the page: its chats, and its other caches. */
const MAX_FILLED = 0.8

/** In every browser with WebGPU, but not in TypeScript's library. Takes the place of a file of that name, if there is one. */
export interface MovableFile extends FileSystemFileHandle {
  move(name: string): Promise<void>
}

/**
 * Opens the store that this browser keeps for the page's origin, a file for each key; removes what other versions and
 * crashed writers left. For dedicated workers: pages have no synchronous files.
 *
 * Throws: Error where the browser keeps no files, as in some private modes.
 */
export async function openOpfsStore(
  storage: StorageManager,
  name: StoreFolder = 'trilobite-towers',
): Promise<ByteStore> {
  const root = await storage.getDirectory()
  const folder = await root.getDirectoryHandle(name, { create: true })
  const left: string[] = []
  for await (const file of folder.keys()) {
    if (!file.startsWith(VERSION) || file.endsWith(UNFINISHED)) left.push(file)
  }
  // What another tab is writing is locked, and stays.
  for (const file of left) await folder.removeEntry(file, { recursive: true }).catch(() => {})
  return new OpfsStore(storage, folder)
}

class OpfsStore implements ByteStore {
  constructor(
    private readonly storage: StorageManager,
    private readonly folder: FileSystemDirectoryHandle,
  ) {}

  async read(key: string): Promise<ReadableStream<Uint8Array> | undefined> {
    const handle = await this.find(await nameOf(key))
    return (await handle?.getFile())?.stream()
  }

  async write(key: string, sizeBytes: number): Promise<ByteWriter> {
    await this.expectRoom(sizeBytes)
    const name = await nameOf(key)
    const unfinished = `${name}.${crypto.randomUUID()}${UNFINISHED}`
    const remove = () => this.folder.removeEntry(unfinished)
    const file = (await this.folder.getFileHandle(unfinished, { create: true })) as MovableFile
    let access: FileSystemSyncAccessHandle
    try {
      access = await file.createSyncAccessHandle()
    } catch (error) {
      await remove()
      throw error
    }
    const find = () => this.find(name)
    return {
      async write(bytes) {
        const written = access.write(bytes as Uint8Array<ArrayBuffer>)
        if (written !== bytes.byteLength) throw new Error('the disk is full')
      },
      async close() {
        try {
          access.flush()
          access.close()
          await file.move(name)
        } catch (error) {
          access.close()
          await remove()
          // Another writer was quicker: its file holds the same bytes, and may be in use.
          if (!(await find())) throw error
        }
      },
      async abort() {
        access.close()
        await remove()
      },
    }
  }

  async remove(key: string): Promise<void> {
    await this.folder.removeEntry(await nameOf(key)).catch(unlessMissing)
  }

  private find(name: string): Promise<FileSystemFileHandle | undefined> {
    return this.folder.getFileHandle(name).catch(unlessMissing)
  }

  private async expectRoom(sizeBytes: number): Promise<void> {
    const { usage = 0, quota = Infinity } = await this.storage.estimate()
    const mostBytes = MAX_FILLED * quota
    if (usage + sizeBytes <= mostBytes) return
    const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`
    throw new Error(
      `${megabytes(sizeBytes)} are needed beside ${megabytes(usage)} in use, ` +
        `of ${megabytes(mostBytes)} that this site may fill`,
    )
  }
}

/** Of characters that every file system takes, whatever is in the key. */
async function nameOf(key: string): Promise<string> {
  return VERSION + (await sha256(new TextEncoder().encode(key)))
}

function unlessMissing(error: unknown): undefined {
  if (!(error instanceof DOMException && error.name === 'NotFoundError')) throw error
}
