import type { ByteStore } from '../byte-store'
import { chunked } from './memory-source'

export interface MemoryStore extends ByteStore {
  /** What can be read. */
  readonly kept: Map<string, Uint8Array>
  /** Writers that were neither closed nor aborted. */
  readonly open: Set<string>
}

/** A store in memory. What is given replaces its methods, to fail as stores do. */
export function memoryStore(replaced: Partial<ByteStore> = {}): MemoryStore {
  const kept = new Map<string, Uint8Array>()
  const open = new Set<string>()
  return {
    kept,
    open,
    async read(key) {
      const bytes = kept.get(key)
      return bytes && chunked(bytes, [5])
    },
    async write(key, sizeBytes) {
      const pieces: Uint8Array[] = []
      const name = `${key} ${open.size}`
      open.add(name)
      return {
        write: async (bytes) => void pieces.push(bytes.slice()),
        async close() {
          if (!open.delete(name)) throw new Error(`${key}: was ended twice`)
          const whole = new Uint8Array(Buffer.concat(pieces))
          if (whole.length !== sizeBytes) throw new Error(`${key}: ${whole.length} of ${sizeBytes} bytes`)
          kept.set(key, whole)
        },
        async abort() {
          if (!open.delete(name)) throw new Error(`${key}: was ended twice`)
        },
      }
    },
    remove: async (key) => void kept.delete(key),
    ...replaced,
  }
}
