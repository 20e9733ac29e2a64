/** Trilobite as a library: `import { Trilobite } from 'trilobite'`. */
export { Answer } from './answer'
export { Ongoing } from './ongoing'
export { TrainingRun } from './training-run'
export {
  Trilobite,
  TrilobiteError,
  type AskOptions,
  type Connect,
  type LoadModelOptions,
  type OpenOptions,
  type Question,
} from './trilobite'
export type * from '../worker/api'
export type * from '../worker/training-api'
export type { EngineClient } from '../worker/client'
