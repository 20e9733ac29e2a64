import code from 'virtual:engine-worker'
import { trustedAddress } from './trusted-address'

/** Stays: the engine starts the threads that hash from the same address. */
let address: string | undefined

/** Starts the engine's worker from its code in this module, so that it starts on pages of any origin. */
export function startInlineWorker(): Worker {
  if (globalThis.origin === 'null') {
    throw new Error(
      'this page has no origin of its own (a sandboxed frame?), where browsers start no worker with WebGPU. ' +
        "Add allow-same-origin to the frame's sandbox",
    )
  }
  address ??= URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))
  return new Worker(trustedAddress(address), { type: 'module', name: 'trilobite-engine' })
}
