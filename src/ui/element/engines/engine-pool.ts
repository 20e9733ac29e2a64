import type { EngineEvent } from '../../../worker/api'
import type { EngineClient } from '../../../worker/client'
import type { Connect } from '../../state/engine.svelte'
import { engineError, quietly } from './engine-calls'
import { EngineLease, type Engines } from './engine-lease'
import { SharedEngine } from './engine-shared'

/**
 * The engines of one page, shared by all who use the same model: one worker, one GPU device, one copy of the weights.
 *
 * `new EngineState((onCrash) => pool.lease(onCrash))`
 */
export class EnginePool {
  readonly #connect: Connect
  readonly #living = new Set<SharedEngine>()
  readonly #engines: Engines = {
    any: () => this.#living.values().next().value ?? this.#open(),
    forModel: (key, lease, own) => {
      const living = [...this.#living]
      const isFree = own && !own.isUsedByOthersThan(lease)
      return (
        living.find((engine) => engine.key === key) ??
        (isFree ? own : living.find((engine) => engine.key === undefined)) ??
        this.#open()
      )
    },
    leave: (lease, engine) => this.#leave(lease, engine),
  }

  /** `connect` starts a real engine. */
  constructor(connect: Connect) {
    this.#connect = connect
  }

  /** Living engines. */
  get size(): number {
    return this.#living.size
  }

  /** An engine that may be shared. None is started before a call needs one; `dispose` gives it back. */
  lease(onCrash: (error: Error) => void): EngineClient {
    return new EngineLease(this.#engines, onCrash)
  }

  #open(): SharedEngine {
    const engine: SharedEngine = new SharedEngine(
      this.#connect,
      (error) => this.#lose(engine, error, (lease) => lease.tellCrash(error)),
      (event) => this.#hear(engine, event),
    )
    this.#living.add(engine)
    return engine
  }

  #hear(engine: SharedEngine, event: EngineEvent): void {
    const pass = (lease: EngineLease) => lease.tellEvent(event)
    if (event.type === 'device-lost' && !event.recovers)
      this.#lose(engine, engineError('DeviceLostError', event.message || event.reason), pass)
    else if (event.type === 'not-recovered') this.#lose(engine, engineError(event.name, event.message), pass)
    else engine.leases.forEach(pass)
  }

  #lose(engine: SharedEngine, error: Error, pass: (lease: EngineLease) => void): void {
    if (!this.#living.delete(engine)) return
    const leases = [...engine.leases]
    engine.lose(error)
    for (const lease of leases) lease.unbind()
    for (const lease of leases) pass(lease)
    engine.client.dispose()
  }

  #leave(lease: EngineLease, engine: SharedEngine): void {
    quietly(engine.asks.abort(lease))
    engine.leases.delete(lease)
    if (engine.leases.size > 0) return quietly(engine.release(lease))
    this.#living.delete(engine)
    engine.close(lease)
  }
}
