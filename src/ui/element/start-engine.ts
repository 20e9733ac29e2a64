import { connectEngine, WorkerCrashError, type EngineClient } from '../../worker/client'
import type { Connect } from '../state/engine.svelte'
import { nameAndMessage } from '../text/explain'
import { EnginePool } from './engines/engine-pool'

/**
 * Starts engines whose code is fetched when the first of them is wanted: a bundler may have put it in a file of its own.
 *
 * Calls wait for it. Where it cannot be had they reject with WorkerCrashError, as those of a dead worker do.
 */
export function connectLater(load: () => Promise<() => Worker>): Connect {
  return (onCrash) => {
    let isDisposed = false
    const opening = load()
      .then((start) => {
        const client = connectEngine(start, onCrash)
        if (isDisposed) client.dispose()
        return client
      })
      .catch((cause: unknown) => {
        const error = new WorkerCrashError(
          `worker: expected to start the engine, but ${nameAndMessage(cause).message}. Reload the page; where it has a ` +
            'content security policy, its worker-src must allow blob:.',
        )
        if (!isDisposed) onCrash(error)
        throw error
      })
    opening.catch(() => {}) // every call tells
    const dispose = () => {
      isDisposed = true
      void opening.then(
        (client) => client.dispose(),
        () => {},
      )
    }
    return new Proxy({} as EngineClient, {
      get: (_, name: keyof EngineClient) =>
        name === 'dispose'
          ? dispose
          : async (...parameters: unknown[]) => {
              const client = await opening
              return (client[name] as (...parameters: unknown[]) => unknown)(...parameters)
            },
    })
  }
}

/** The engines of this page's elements. */
export const engines = new EnginePool(
  connectLater(() => import('../../worker/start-inline-worker').then((module) => module.startInlineWorker)),
)
