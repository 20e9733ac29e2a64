import { proxy, releaseProxy, wrap } from 'comlink'
import type { EngineApi } from './api'
import type { TrainingApi } from './training-api'

// The page's way to the types of training.
export type * from './training-api'

/** The engine in its worker, as a page holds it. */
export interface EngineClient extends EngineApi, TrainingApi {
  /** Ends the worker and frees everything it held, GPU memory included; pending calls reject with AbortError. */
  dispose(): void
}

/** The worker could not start or stopped by an error nobody caught. */
export class WorkerCrashError extends Error {
  override readonly name = 'WorkerCrashError'
}

class DisposedError extends Error {
  override readonly name = 'AbortError'
}

/**
 * Connects to an engine in a worker of its own, which `start` starts. Callbacks run on the page's thread.
 *
 * A worker that fails rejects every pending call with WorkerCrashError, and `onCrash` is told once.
 */
export function connectEngine(
  start: () => Worker,
  onCrash: (error: WorkerCrashError) => void = () => {},
): EngineClient {
  const worker = start()
  const remote = wrap<EngineApi & TrainingApi>(worker)

  let closed: Error | undefined
  const pending = new Set<(reason: Error) => void>()

  const close = (reason: Error) => {
    if (closed) return
    closed = reason
    worker.terminate()
    for (const reject of pending) reject(reason)
    pending.clear()
  }

  const crash = (message: string) => {
    if (closed) return
    const error = new WorkerCrashError(message)
    close(error)
    onCrash(error)
  }

  worker.addEventListener('error', (event) => {
    event.preventDefault()
    const what = event.message || 'its script could not be loaded'
    crash(`worker: expected the engine to keep running, but ${what}. Reload the model, or the page.`)
  })
  worker.addEventListener('messageerror', () => {
    crash('worker: a message could not be read. Reload the model, or the page.')
  })

  // comlink alone would leave calls pending for ever once the worker is gone.
  const guard = <T>(call: () => Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (closed) return reject(closed)
      pending.add(reject)
      call()
        .then(resolve, reject)
        .finally(() => pending.delete(reject))
    })

  return {
    probe: () => guard(() => remote.probe()),
    plan: (source, options) => guard(() => remote.plan(source, options)),
    load: (source, options, onProgress) => guard(() => remote.load(source, options, proxy(onProgress))),
    cancelLoad: () => guard(() => remote.cancelLoad()),
    ask: (request, onEvent) => guard(() => remote.ask(request, proxy(onEvent))),
    abort: () => guard(() => remote.abort()),
    look: (request) => guard(() => remote.look(request)),
    unload: () => guard(() => remote.unload()),
    close: () => guard(() => remote.close()),
    storedModels: () => guard(() => remote.storedModels()),
    removeStored: (id) => guard(() => remote.removeStored(id)),
    verifyStored: (id, onProgress) => guard(() => remote.verifyStored(id, proxy(onProgress))),
    cancelVerify: () => guard(() => remote.cancelVerify()),
    gpuMemory: () => guard(() => remote.gpuMemory()),
    watch: (onEvent) => guard(() => remote.watch(proxy(onEvent))),
    loseDevice: () => guard(() => remote.loseDevice()),
    recipes: () => guard(() => remote.recipes()),
    connectorLayouts: () => guard(() => remote.connectorLayouts()),
    openDataset: (source, onProgress) => guard(() => remote.openDataset(source, proxy(onProgress))),
    planTraining: (request) => guard(() => remote.planTraining(request)),
    cancelOpening: () => guard(() => remote.cancelOpening()),
    train: (request, onEvent) => guard(() => remote.train(request, proxy(onEvent))),
    resumeTraining: (run, dataset, onEvent) =>
      guard(() => remote.resumeTraining(run, dataset, proxy(onEvent))),
    controlTraining: (action) => guard(() => remote.controlTraining(action)),
    runs: () => guard(() => remote.runs()),
    runLog: (run) => guard(() => remote.runLog(run)),
    renameRun: (run, name) => guard(() => remote.renameRun(run, name)),
    deleteRun: (run) => guard(() => remote.deleteRun(run)),
    exportRun: (run, layout) => guard(() => remote.exportRun(run, layout)),
    importConnector: (files) => guard(() => remote.importConnector(files)),
    useConnector: (run) => guard(() => remote.useConnector(run)),
    checkGradients: (options, onProgress) => guard(() => remote.checkGradients(options, proxy(onProgress))),
    dispose() {
      if (closed) return
      close(new DisposedError('worker: the engine was closed before it answered'))
      remote[releaseProxy]()
    },
  }
}
