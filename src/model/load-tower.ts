import type { Arena, Gpu } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import { ConfigError } from './errors'
import { loadWeights } from './load-weights'
import { readEncoder } from './onnx/read-encoder'
import type { OnnxLoader } from './onnx/runtime'
import type { MemoryPlan } from './plan'
import type { TowerStage } from './towers'

/**
 * Brings a tower that is not among the loaded weights: its own weights from their repository, or an encoder's file that
 * another engine opens.
 *
 * Throws: as loadWeights and ExternalTower.open; ConfigError where the host has no such engine. Nothing stays allocated.
 */
export function towerLoader(
  gpu: Gpu,
  arena: Arena,
  opened: OpenedModel,
  plan: MemoryPlan,
  host: { onnx: OnnxLoader | undefined; onNote: (note: string) => void },
): TowerStage['load'] {
  return async (index, { signal, onProgress }) => {
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
    const { weights } = await loadWeights(gpu, arena, opened, plan.dtype, {
      signal,
      onProgress,
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
}
