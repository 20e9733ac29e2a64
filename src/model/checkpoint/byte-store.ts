/**
 * Keeps runs of bytes by key from visit to visit. Any method may reject, for lack of room or of permission; who uses a
 * store must get along without.
 */
export interface ByteStore {
  /** Bytes written and closed earlier, or a part of them; undefined where there are none. */
  read(
    key: string,
    part?: { readonly start: number; readonly end: number },
  ): Promise<ReadableStream<Uint8Array> | undefined>
  /** Bytes that are there of a key, those a writer left included; 0 where there are none. */
  sizeOf(key: string): Promise<number>
  /** Begins to write `sizeBytes` bytes. Nothing of them can be read before `close`; what was there can be until then. */
  write(key: string, sizeBytes: number): Promise<ByteWriter>
  /** As `write`, going on where an earlier writer left off. Not in every store. */
  resume?(key: string, sizeBytes: number): Promise<ResumedWriter>
  /** Forgets the bytes, if there are any, those a writer left included. */
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

export interface ResumedWriter extends ByteWriter {
  /** Bytes that are there; writing goes on behind them. */
  readonly doneBytes: number
  /** Those bytes. */
  readDone(): ReadableStream<Uint8Array>
  /** Leaves what was written to the next writer, of another visit too. */
  leave(): Promise<void>
}
