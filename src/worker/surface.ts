import type { EngineApi } from './api'
import type { Engine } from './engine'
import type { TrainingApi } from './training-api'

/** Both halves of the contract as one object, as a worker exposes them; methods need no `this`. */
export function wholeContract(engine: Engine): EngineApi & TrainingApi {
  return new Proxy(engine, {
    get(_, name) {
      const owner: object = name in engine.training ? engine.training : engine
      const value: unknown = Reflect.get(owner, name)
      return typeof value === 'function' ? (value.bind(owner) as unknown) : value
    },
  }) as unknown as EngineApi & TrainingApi
}
