import type { CheckpointSource } from '../model/checkpoint/source'
import type { AskRequest, EngineApi, LoadOptions, LoadProgress, ModelInfo, ModelPlan } from '../worker/api'
import { Engine } from '../worker/engine'
import { openNodeGpu, type AdapterChoice } from './device'
import type { ResolvedModel } from './model-source'

/** Intermediate results of a prompt, for comparing with other implementations. */
export type DebugTensors = Record<string, { shape: number[]; data: Float32Array }>

/** The contract of the page, and what only a caller in the same thread can use. */
export interface LocalEngine extends EngineApi {
  loadFrom(
    source: CheckpointSource,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<ModelInfo>
  planFrom(source: CheckpointSource, options: LoadOptions): Promise<ModelPlan>
  debugForward(request: Pick<AskRequest, 'messages' | 'raw'>): Promise<DebugTensors>
}

/** The engine in this process, on the chosen adapter. Throws: UnsupportedDeviceError. */
export async function createEngine(adapter: AdapterChoice): Promise<LocalEngine> {
  return new Engine({ gpu: await openNodeGpu(adapter) })
}

export function loadModel(
  engine: LocalEngine,
  model: ResolvedModel,
  options: LoadOptions,
  onProgress: (progress: LoadProgress) => void,
): Promise<ModelInfo> {
  return 'disk' in model
    ? engine.loadFrom(model.disk, options, onProgress)
    : engine.load(model.remote, options, onProgress)
}

export function planModel(
  engine: LocalEngine,
  model: ResolvedModel,
  options: LoadOptions,
): Promise<ModelPlan> {
  return 'disk' in model ? engine.planFrom(model.disk, options) : engine.plan(model.remote, options)
}
