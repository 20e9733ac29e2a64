import type { LoadOptions, LoadProgress, ModelInfo, ModelPlan } from '../worker/api'
import { Engine } from '../worker/engine'
import { nodeCodecLoader } from './codecs-node'
import { openNodeGpu, type AdapterChoice } from './device'
import type { ResolvedModel } from './model-source'

/** The engine in this process, on the chosen adapter. Throws: UnsupportedDeviceError. */
export async function createEngine(adapter: AdapterChoice): Promise<Engine> {
  return new Engine({ gpu: await openNodeGpu(adapter), imageCodecs: nodeCodecLoader })
}

export function loadModel(
  engine: Engine,
  model: ResolvedModel,
  options: LoadOptions,
  onProgress: (progress: LoadProgress) => void,
): Promise<ModelInfo> {
  return 'disk' in model
    ? engine.loadFrom(model.disk, options, onProgress)
    : engine.load(model.remote, options, onProgress)
}

export function planModel(engine: Engine, model: ResolvedModel, options: LoadOptions): Promise<ModelPlan> {
  return 'disk' in model ? engine.planFrom(model.disk, options) : engine.plan(model.remote, options)
}
