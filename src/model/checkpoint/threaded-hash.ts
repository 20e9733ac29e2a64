import type { Hash } from './hasher'

/** Bytes, whose buffer is transferred, or the end. */
export type HashRequest = Uint8Array<ArrayBuffer> | 'digest'
/** Once, when the thread is ready; then for each request its buffer, transferred, or the hash in hexadecimal. */
export type HashReply = 'ready' | ArrayBuffer | string

/** A thread that answers requests in their order: a Worker of the web's or of Node's. */
export interface HashThread {
  post(request: HashRequest, transfer: ArrayBuffer[]): void
  /** Called once, before anything is posted. */
  listen(onReply: (reply: HashReply) => void, onError: (error: Error) => void): void
  end(): void
}

/**
 * A hash that a thread of its own computes; the thread ends with it.
 *
 * Throws: Error where the thread does not start.
 */
export async function threadedHash(thread: HashThread): Promise<Hash> {
  const waiting: { resolve: (reply: HashReply) => void; reject: (error: Error) => void }[] = []
  let failure: Error | undefined
  const fail = (error: Error) => {
    failure ??= error
    for (const { reject } of waiting.splice(0)) reject(failure)
    thread.end()
  }
  const reply = () =>
    new Promise<HashReply>((resolve, reject) => {
      if (failure) reject(failure)
      else waiting.push({ resolve, reject })
    })
  const ready = reply()
  thread.listen((message) => waiting.shift()?.resolve(message), fail)
  await ready
  const ask = (request: HashRequest, transfer: ArrayBuffer[] = []) => {
    if (!failure) thread.post(request, transfer)
    return reply()
  }
  return {
    update: async (bytes) => (await ask(bytes, [bytes.buffer])) as ArrayBuffer,
    async digest() {
      const found = (await ask('digest')) as string
      thread.end()
      return found
    },
    drop: () => fail(new Error('the hash was given up')),
  }
}
