// The page of e2e/onnx-tower.spec.ts: a tower alone in a worker, without the assistant around it.

import type { TowerReply } from './tower.worker'

const worker = new Worker(new URL('./tower.worker.ts', import.meta.url), { type: 'module' })
worker.onerror = (event) => console.error(event.message)

/** Takes a TowerRequest as JSON. */
const encode = (request: string) =>
  new Promise<TowerReply>((done) => {
    worker.onmessage = ({ data }: MessageEvent<TowerReply>) => done(data)
    worker.postMessage(request)
  })

Object.assign(globalThis, { encode })
