/** Starts the engine's worker from the file that the bundler puts beside the page. */
export const startEngineWorker = (): Worker =>
  new Worker(new URL('./engine.worker.ts', import.meta.url), { type: 'module', name: 'trilobite-engine' })
