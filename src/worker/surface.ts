import type { EngineApi } from './api'
import type { Engine } from './engine'
import type { TrainingApi } from './training-api'

/** Every call of the training half, so that nothing else of its class is reached through the contract. */
const TRAINING = {
  recipes: true,
  connectorLayouts: true,
  openDataset: true,
  planTraining: true,
  cancelOpening: true,
  train: true,
  resumeTraining: true,
  controlTraining: true,
  runs: true,
  runLog: true,
  renameRun: true,
  deleteRun: true,
  exportRun: true,
  importConnector: true,
  useConnector: true,
  checkGradients: true,
} satisfies Record<keyof TrainingApi, true>

/** Both halves of the contract as one object, as a worker exposes them; methods need no `this`. */
export function wholeContract(engine: Engine): EngineApi & TrainingApi {
  return new Proxy(engine, {
    get(_, name) {
      const owner: object = Object.hasOwn(TRAINING, name) ? engine.training : engine
      const value: unknown = Reflect.get(owner, name)
      return typeof value === 'function' ? (value.bind(owner) as unknown) : value
    },
  }) as unknown as EngineApi & TrainingApi
}
