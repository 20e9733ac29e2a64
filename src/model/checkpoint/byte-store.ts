/**
 * Keeps runs of bytes by key from visit to visit. Any method may reject, for lack of room or of permission; who uses a
 * store must get along without.
 */
export interface ByteStore {
  /** Bytes written and closed earlier; undefined where there are none. */
  read(key: string): Promise<ReadableStream<Uint8Array> | undefined>
  /** Begins to write `sizeBytes` bytes. Nothing of them can be read before `close`; what was there can be until then. */
  write(key: string, sizeBytes: number): Promise<ByteWriter>
  /** Forgets the bytes, if there are any. */
  remove(key: string): Promise<void>
}

export interface ByteWriter {
  /** The bytes are used up once the promise resolves. */
  write(bytes: Uint8Array): Promise<void>
  /** Makes what was written readable, as a whole. */
  close(): Promise<void>
  /** Forgets what was written. */
  abort(): Promise<void>
}
