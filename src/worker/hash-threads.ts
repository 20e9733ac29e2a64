import { startHashHere, type StartHash } from '../model/checkpoint/hasher'
import { threadedHash, type HashRequest } from '../model/checkpoint/threaded-hash'
import { trustedAddress } from './trusted-address'

/** Name of the workers that hash; they run the engine's own script, which a page's policy allows already. */
export const HASH_WORKER = 'trilobite-hash'

let hasThreads = true

/** Hashes in a worker of its own, beside the thread that fetches and uploads; on this thread where none can be started. */
export const startHashInWorker: StartHash = async () => {
  if (hasThreads) {
    try {
      const { href } = globalThis.location
      const worker = new Worker(trustedAddress(href), { type: 'module', name: HASH_WORKER })
      return await threadedHash({
        post: (request, transfer) => worker.postMessage(request, transfer),
        listen(onReply, onError) {
          worker.onmessage = ({ data }) => onReply(data)
          worker.onerror = (event) => {
            event.preventDefault()
            onError(new Error(event.message || 'the thread that hashes could not be started'))
          }
        },
        end: () => worker.terminate(),
      })
    } catch {
      hasThreads = false
    }
  }
  return startHashHere()
}

/** The other side: answers in the thread. */
export async function answerHashRequests(scope: DedicatedWorkerGlobalScope): Promise<void> {
  const hash = await startHashHere()
  scope.onmessage = async ({ data }: MessageEvent<HashRequest>) => {
    if (data === 'digest') return scope.postMessage(await hash.digest())
    const buffer = await hash.update(data)
    scope.postMessage(buffer, [buffer])
  }
  scope.postMessage('ready')
}
