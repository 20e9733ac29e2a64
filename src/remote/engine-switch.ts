import type { EndpointLocation, EngineEvent } from '../worker/api'
import type { EngineClient } from '../worker/client'
import type { EndpointModel } from './endpoint'

/** Starts an engine; told when its worker stops by an error nobody caught. */
type Connect = (onCrash: (error: Error) => void) => EngineClient

/** Calls that need a model on this device. */
const ON_DEVICE: ReadonlySet<string> = new Set<keyof EngineClient>([
  'look',
  'planTraining',
  'train',
  'resumeTraining',
  'importConnector',
  'useConnector',
  'checkGradients',
])

/**
 * Engines that also answer by models on servers. What runs on this device is started by `connect`, and not before a call
 * needs it: a page that asks a server alone opens no GPU.
 */
export const withEndpoints =
  (connect: Connect): Connect =>
  (onCrash) =>
    engineSwitch(connect, onCrash)

function engineSwitch(connect: Connect, onCrash: (error: Error) => void): EngineClient {
  /** The engine on this device, once it was needed. */
  let local: EngineClient | undefined
  /** The model on a server, while it is the one that answers. */
  let remote: EndpointModel | undefined
  let opening: AbortController | undefined
  const watchers: ((event: EngineEvent) => void)[] = []

  function device(): EngineClient {
    if (local) return local
    const client = connect((error) => {
      if (client === local) local = undefined
      // Who is answered by a server misses nothing; the next call starts another engine.
      if (!remote) onCrash(error)
    })
    local = client
    if (watchers.length) listen(client)
    return client
  }

  function listen(client: EngineClient) {
    client
      .watch((event) => {
        if (client === local && !remote) for (const tell of watchers) tell(event)
      })
      .catch(() => {}) // what crashed is told by onCrash
  }

  async function open(source: EndpointLocation): Promise<EndpointModel> {
    opening?.abort(cancelled())
    const controller = (opening = new AbortController())
    try {
      const { EndpointModel } = await import('./endpoint')
      const model = await EndpointModel.open(source, controller.signal)
      controller.signal.throwIfAborted()
      return model
    } catch (error) {
      throw controller.signal.aborted ? cancelled() : error
    } finally {
      if (opening === controller) opening = undefined
    }
  }

  const own: Partial<EngineClient> = {
    async plan(source, options) {
      if (source.kind !== 'endpoint') return device().plan(source, options)
      throw named(
        'ConfigError',
        'plan: expected a checkpoint, got a model on a server, which takes nothing here.',
      )
    },
    async load(source, options, onProgress) {
      remote?.abort()
      if (source.kind !== 'endpoint') {
        const info = await device().load(source, options, onProgress)
        remote = undefined
        return info
      }
      const model = await open(source)
      // Answers of the model that goes end as by `unload`.
      await local?.unload()
      remote = model
      onProgress({ phase: 'ready' })
      return model.info
    },
    async cancelLoad() {
      opening?.abort(cancelled())
      await local?.cancelLoad()
    },
    ask: async (request, onEvent) => (remote ?? device()).ask(request, onEvent),
    async abort() {
      remote?.abort()
      await local?.abort()
    },
    async unload() {
      opening?.abort(cancelled())
      remote?.abort()
      remote = undefined
      await local?.unload()
    },
    async close() {
      await own.unload!()
      await local?.close()
    },
    gpuMemory: async () => local?.gpuMemory() ?? { allocatedBytes: 0, peakBytes: 0 },
    async watch(onEvent) {
      if (watchers.push(onEvent) === 1 && local) listen(local)
    },
    dispose() {
      opening?.abort(cancelled())
      remote?.abort()
      remote = undefined
      local?.dispose()
    },
  }

  return new Proxy(own as EngineClient, {
    get(_, name: keyof EngineClient | 'then') {
      // Whoever awaits an engine must not take it for a promise.
      if (name === 'then' || name in own) return own[name as keyof EngineClient]
      return async (...parameters: unknown[]) => {
        if (remote && ON_DEVICE.has(name)) {
          throw named(
            'ConfigError',
            `${name}: expected a model on this device, got one that ${remote.info.server} answers for. Load one here.`,
          )
        }
        return (device()[name] as (...parameters: unknown[]) => unknown)(...parameters)
      }
    },
  })
}

const named = (name: 'ConfigError' | 'AbortError', message: string): Error =>
  Object.assign(new Error(message), { name })

const cancelled = () => named('AbortError', 'load: cancelled.')
