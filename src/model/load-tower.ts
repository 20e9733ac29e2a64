import type { Arena, Gpu } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import type { StartHash } from './checkpoint/hasher'
import { ConfigError } from './errors'
import { loadWeights } from './load-weights'
import { readEncoder } from './onnx/read-encoder'
import type { OnnxLoader } from './onnx/runtime'
import type { MemoryPlan } from './plan'
import type { FileKeeper } from './file-keeper'
import type { LoadedTower, TowerLoadOptions, TowerStage } from './towers'

/**
 * Brings a tower that is not among the loaded weights: its own weights from their repository, or an encoder's file that
 * another engine opens. Its files are kept on this device where the host has a keeper.
 *
 * Throws: as loadWeights and ExternalTower.open; ConfigError where the host has no such engine. Nothing stays allocated.
 */
export function towerLoader(
  gpu: Gpu,
  arena: Arena,
  model: OpenedModel,
  plan: MemoryPlan,
  host: {
    onnx: OnnxLoader | undefined
    keeper: FileKeeper | undefined
    startHash: StartHash | undefined
    onNote: (note: string) => void
  },
): TowerStage['load'] {
  const load = async (
    opened: OpenedModel,
    index: number,
    { signal, onProgress }: TowerLoadOptions,
  ): Promise<LoadedTower> => {
    const { name, prefix, tower, output } = opened.blueprint.vision!.towers[index]!
    const { external } = tower
    if (external) {
      if (!host.onnx) {
        throw new ConfigError(
          `${name}: is an ONNX encoder, and no engine for those was given here. Choose a model without one.`,
        )
      }
      const onnx = await host.onnx()
      const { source } = opened.externals.get(index)!
      const file = await readEncoder(source, external.files, { signal, onProgress })
      const found = await external.open(file, output, { gpu, onnx, onNote: host.onNote })
      return { tower: found, free() {} }
    }
    const weights = await loadWeights(gpu, arena, opened, plan.dtype, {
      signal,
      onProgress,
      startHash: host.startHash,
      towerDtype: plan.towerDtype,
      only: (parameter) => parameter.startsWith(`${prefix}.`),
    })
    try {
      return { tower: tower.create(weights.at(prefix), output), free: () => weights.destroy() }
    } catch (error) {
      weights.destroy()
      throw error
    }
  }
  return async (index, options) => {
    const { keeper } = host
    if (!keeper) return load(model, index, options)
    const { signal, onProgress } = options
    const onlyHashed = plan.towers[index]!.resident
    return keeper.keep(model, { onProgress, onlyHashed }, (opened, onProgress) =>
      load(opened, index, { signal, onProgress }),
    )
  }
}
