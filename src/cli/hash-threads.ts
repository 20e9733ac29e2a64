import { Worker } from 'node:worker_threads'
import type { StartHash } from '../model/checkpoint/hasher'
import { threadedHash } from '../model/checkpoint/threaded-hash'
import code from './hash-thread.cjs?raw'

/** Hashes on a thread of its own, beside the one that fetches and uploads. */
export const startHashInThread: StartHash = () => {
  const worker = new Worker(code, { eval: true, name: 'trilobite-hash' })
  return threadedHash({
    post: (request, transfer) => worker.postMessage(request, transfer),
    listen(onReply, onError) {
      worker.on('message', onReply)
      worker.on('error', onError)
    },
    end: () => void worker.terminate(),
  })
}
