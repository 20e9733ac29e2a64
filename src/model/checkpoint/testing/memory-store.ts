import type { ByteStore } from '../byte-store'
import { chunked } from './memory-source'

export interface MemoryStore extends ByteStore {
  /** What can be read. */
  readonly kept: Map<string, Uint8Array>
  /** Writers that were not ended. */
  readonly open: Set<string>
  /** What writers left to later ones. */
  readonly left: Map<string, Uint8Array>
}

/** A store in memory. What is given replaces its methods, to fail as stores do. */
export function memoryStore(replaced: Partial<ByteStore> = {}): MemoryStore {
  const kept = new Map<string, Uint8Array>()
  const left = new Map<string, Uint8Array>()
  const open = new Set<string>()
  const writer = (key: string, sizeBytes: number, done: Uint8Array) => {
    const pieces = [done]
    const name = `${key} ${open.size}`
    open.add(name)
    const end = () => {
      if (!open.delete(name)) throw new Error(`${key}: was ended twice`)
      return new Uint8Array(Buffer.concat(pieces))
    }
    return {
      doneBytes: done.length,
      readDone: () => chunked(done, [5]),
      write: async (bytes: Uint8Array) => void pieces.push(bytes.slice()),
      async close() {
        const whole = end()
        if (whole.length !== sizeBytes) throw new Error(`${key}: ${whole.length} of ${sizeBytes} bytes`)
        kept.set(key, whole)
      },
      leave: async () => void left.set(key, end()),
      abort: async () => void end(),
    }
  }
  return {
    kept,
    open,
    left,
    async read(key, part) {
      const bytes = kept.get(key)
      return bytes && chunked(part ? bytes.subarray(part.start, part.end) : bytes, [5])
    },
    sizeOf: async (key) => (kept.get(key) ?? left.get(key))?.length ?? 0,
    write: async (key, sizeBytes) => writer(key, sizeBytes, new Uint8Array()),
    async resume(key, sizeBytes) {
      const done = left.get(key) ?? new Uint8Array()
      left.delete(key)
      return writer(key, sizeBytes, done)
    },
    async remove(key) {
      kept.delete(key)
      left.delete(key)
    },
    ...replaced,
  }
}
