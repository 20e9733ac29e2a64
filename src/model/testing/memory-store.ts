import type { ByteStore, ByteWriter } from '../checkpoint/byte-store'

/** Keeps bytes as long as the test lives. */
export class MemoryStore implements ByteStore {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>()

  async read(key: string): Promise<ReadableStream<Uint8Array> | undefined> {
    const bytes = this.files.get(key)
    return bytes && new Blob([bytes]).stream()
  }

  async sizeOf(key: string): Promise<number> {
    return this.files.get(key)?.byteLength ?? 0
  }

  async write(key: string): Promise<ByteWriter> {
    const pieces: Uint8Array<ArrayBuffer>[] = []
    return {
      write: async (bytes) => void pieces.push(bytes.slice()),
      close: async () => void this.files.set(key, new Uint8Array(await new Blob(pieces).arrayBuffer())),
      abort: async () => {},
    }
  }

  async remove(key: string): Promise<void> {
    this.files.delete(key)
  }
}
