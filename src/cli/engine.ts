import { homedir } from 'node:os'
import { join } from 'node:path'
import type { LoadOptions, LoadProgress, LocalModelInfo, ModelPlan } from '../worker/api'
import { Engine, type EngineHost, type ResolveRepository } from '../worker/engine'
import { nodeCodecLoader } from './codecs-node'
import { openNodeGpu, type AdapterChoice } from './device'
import { openDiskStore } from './disk-store'
import { startHashInThread } from './hash-threads'
import { openSource } from '../model/checkpoint/open-source'
import { resolveRepository, type ResolvedModel, type ResolveOptions } from './model-source'

/** The engine in this process, on the chosen adapter. Throws: UnsupportedDeviceError. */
export async function createEngine(
  adapter: AdapterChoice,
  resolveRepository?: ResolveRepository,
  host: Pick<EngineHost, 'runs' | 'featureStore' | 'lockRun'> = {},
): Promise<Engine> {
  return new Engine({
    ...host,
    gpu: await openNodeGpu(adapter),
    imageCodecs: nodeCodecLoader,
    startHash: startHashInThread,
    tuning: { store: () => openDiskStore(tuningFolder(process.env)) },
    onnx: () => import('./onnx-node').then((module) => module.openNodeOnnxRuntime()),
    ...(resolveRepository && { resolveRepository }),
  })
}

/** Where tunings of this machine's adapters are kept. */
export const tuningFolder = (env: NodeJS.ProcessEnv) =>
  join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'trilobite', 'tuning')

const sourceOf = (model: ResolvedModel) => ('disk' in model ? model.disk : openSource(model.remote))

export function loadModel(
  engine: Engine,
  model: ResolvedModel,
  options: LoadOptions,
  onProgress: (progress: LoadProgress) => void,
  base?: ResolvedModel,
): Promise<LocalModelInfo> {
  return engine.loadFrom(sourceOf(model), options, onProgress, { base: base && sourceOf(base) })
}

export function planModel(
  engine: Engine,
  model: ResolvedModel,
  options: LoadOptions,
  base?: ResolvedModel,
): Promise<ModelPlan> {
  return engine.planFrom(sourceOf(model), options, { base: base && sourceOf(base) })
}

/** Repositories a checkpoint refers to: folders of `--repos` first, then the hub. */
export function repositoryResolver(options: ResolveOptions): ResolveRepository {
  return async (repo) => sourceOf(await resolveRepository(repo, options))
}
