import address from './engine.worker.ts?worker&url'
import { trustedAddress } from './trusted-address'

/** Starts the engine's worker from the file that the bundler puts beside the page. */
export const startEngineWorker = (): Worker =>
  new Worker(trustedAddress(address), { type: 'module', name: 'trilobite-engine' })
