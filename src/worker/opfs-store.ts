import type { ByteStore, ByteWriter, ResumedWriter } from '../model/checkpoint/byte-store'
import { sha256 } from '../model/sha256'
import { UNFINISHED } from '../model/train/run-store'

/** Files of models, what frozen towers gave for training pictures, and which kernels were measured to be fast. */
export type StoreFolder = 'trilobite-models' | 'trilobite-features' | 'trilobite-tuning'
/** Begins every name. Another way to name or to fill the files takes another version. */
const VERSION = 'v1-'
/** Ends the names of files that a later writer goes on with. */
const LEFT = '.left'
/** What nobody went on with for that long is removed. */
const ABANDONED_MS = 30 * 24 * 3_600_000
/** A power cut loses no more than that. */
const FLUSHED_BYTES = 64 * 2 ** 20
const READ_BYTES = 2 ** 20
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
  name: StoreFolder = 'trilobite-models',
): Promise<ByteStore> {
  const root = await storage.getDirectory()
  const folder = await root.getDirectoryHandle(name, { create: true })
  const left: string[] = []
  for await (const file of folder.keys()) {
    if (!file.startsWith(VERSION) || file.endsWith(UNFINISHED)) left.push(file)
    else if (file.endsWith(LEFT) && (await isAbandoned(folder, file))) left.push(file)
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

  async read(
    key: string,
    part?: { start: number; end: number },
  ): Promise<ReadableStream<Uint8Array> | undefined> {
    const handle = await this.find(await nameOf(key))
    const file = await handle?.getFile()
    return (part ? file?.slice(part.start, part.end) : file)?.stream()
  }

  async sizeOf(key: string): Promise<number> {
    const name = await nameOf(key)
    const handle = (await this.find(name)) ?? (await this.find(name + LEFT))
    return (await handle?.getFile())?.size ?? 0
  }

  async write(key: string, sizeBytes: number): Promise<ByteWriter> {
    await this.expectRoom(sizeBytes)
    const name = await nameOf(key)
    return this.open(name, `${name}.${crypto.randomUUID()}${UNFINISHED}`)
  }

  async resume(key: string, sizeBytes: number): Promise<ResumedWriter> {
    const name = await nameOf(key)
    await this.expectRoom(sizeBytes - (await this.sizeOf(key)))
    return this.open(name, name + LEFT)
  }

  async remove(key: string): Promise<void> {
    const name = await nameOf(key)
    await this.folder.removeEntry(name).catch(unlessMissing)
    await this.folder.removeEntry(name + LEFT).catch(unlessMissing)
  }

  /** Writes to the end of a file that takes its name when it is whole. */
  private async open(name: string, unfinished: string): Promise<ResumedWriter> {
    const { folder } = this
    const remove = () => folder.removeEntry(unfinished)
    const file = (await folder.getFileHandle(unfinished, { create: true })) as MovableFile
    let access: FileSystemSyncAccessHandle
    try {
      access = await file.createSyncAccessHandle()
    } catch (error) {
      if (isLocked(error)) throw new Error('another tab is writing it', { cause: error })
      await remove()
      throw error
    }
    const doneBytes = access.getSize()
    let at = doneBytes
    let flushed = at
    return {
      doneBytes,
      readDone() {
        let from = 0
        return new ReadableStream<Uint8Array>(
          {
            pull(controller) {
              const bytes = new Uint8Array(Math.min(READ_BYTES, doneBytes - from))
              const length = bytes.byteLength && access.read(bytes, { at: from })
              if (length) controller.enqueue(bytes.subarray(0, length))
              from += length
              if (!length || from >= doneBytes) controller.close()
            },
          },
          { highWaterMark: 0 },
        )
      },
      async write(bytes) {
        const written = access.write(bytes as Uint8Array<ArrayBuffer>, { at })
        if (written !== bytes.byteLength) throw new Error('the disk is full')
        at += written
        if (at - flushed < FLUSHED_BYTES) return
        access.flush()
        flushed = at
      },
      close: async () => {
        try {
          access.flush()
          access.close()
          await file.move(name)
        } catch (error) {
          access.close()
          await remove()
          // Another writer was quicker: its file holds the same bytes, and may be in use.
          if (!(await this.find(name))) throw error
        }
      },
      async leave() {
        access.flush()
        access.close()
      },
      async abort() {
        access.close()
        await remove()
      },
    }
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

/** Whether a file was last written long ago. */
async function isAbandoned(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  const handle = await folder.getFileHandle(name).catch(() => undefined)
  const file = await handle?.getFile().catch(() => undefined)
  return file !== undefined && Date.now() - file.lastModified > ABANDONED_MS
}

const isLocked = (error: unknown) =>
  error instanceof DOMException && error.name === 'NoModificationAllowedError'

function unlessMissing(error: unknown): undefined {
  if (!(error instanceof DOMException && error.name === 'NotFoundError')) throw error
}
