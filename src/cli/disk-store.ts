import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { ByteStore, ByteWriter } from '../model/checkpoint/byte-store'
import { UNFINISHED } from '../model/train/run-store'

/** Begins every name. Another way to name or to fill the files takes another version. */
const VERSION = 'v1-'
/** What a writer has not touched for that long, it has left for good. */
const ABANDONED_MS = 3_600_000

/**
 * Opens a store in a folder of this machine's disk, a file for each key; removes what crashed writers left there. The
 * folder is made when something is first written. Several processes may share it.
 */
export async function openDiskStore(path: string): Promise<ByteStore> {
  const folder = resolve(path)
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((name) => name.startsWith(VERSION) && name.endsWith(UNFINISHED))) {
    const file = join(folder, name)
    const info = await stat(file).catch(() => undefined)
    if (info && Date.now() - info.mtimeMs > ABANDONED_MS) await rm(file, { force: true }).catch(() => {})
  }
  return new DiskStore(folder)
}

/** Bytes by key, each in a file of its own that is whole from the moment it is there. */
class DiskStore implements ByteStore {
  constructor(private readonly folder: string) {}

  async read(key: string): Promise<ReadableStream<Uint8Array> | undefined> {
    let file: FileHandle
    try {
      file = await open(this.locate(key))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
    return Readable.toWeb(createReadStream('', { fd: file })) as ReadableStream<Uint8Array>
  }

  async sizeOf(key: string): Promise<number> {
    return (await stat(this.locate(key)).catch(() => undefined))?.size ?? 0
  }

  async write(key: string): Promise<ByteWriter> {
    const path = this.locate(key)
    const unfinished = `${path}.${randomUUID()}${UNFINISHED}`
    await mkdir(this.folder, { recursive: true })
    const file = await open(unfinished, 'wx')
    const forget = async () => {
      await file.close().catch(() => {})
      await rm(unfinished, { force: true })
    }
    return {
      async write(bytes) {
        for (let at = 0; at < bytes.byteLength;) {
          at += (await file.write(bytes, at, bytes.byteLength - at)).bytesWritten
        }
      },
      async close() {
        try {
          // A file that has its name but not its bytes after a power cut would be bytes of zeros.
          await file.sync()
          await file.close()
          await rename(unfinished, path)
        } catch (error) {
          await forget()
          throw error
        }
      },
      abort: forget,
    }
  }

  async remove(key: string): Promise<void> {
    await rm(this.locate(key), { force: true })
  }

  /** Of characters that every file system takes, whatever is in the key. */
  private locate(key: string): string {
    return join(this.folder, VERSION + createHash('sha256').update(key).digest('hex'))
  }
}
