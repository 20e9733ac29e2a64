import type { Gpu } from '../../kernels'
import type { OnnxFile, OnnxRuntime } from '../onnx/runtime'
import type { TowerOutput, VisionTower } from './definition'

/** What a host offers to towers that another engine computes. */
export interface TowerHost {
  readonly gpu: Gpu
  readonly onnx: OnnxRuntime
  /** Told what a reader may want to know, such as why an encoder does not run on the GPU. */
  readonly onNote?: (note: string) => void
}

/**
 * A tower whose weights lie in files of another kind: they are read whole into host memory, and the tower is opened from
 * them instead of being created from parameters.
 */
export interface ExternalTower {
  /** Paths beside its config.json, in the order `open` takes them: the encoder, then the files that it refers to. */
  readonly files: readonly string[]
  /**
   * Throws: ConfigError where the file is not as the config says, and what OnnxRuntime.open throws. Nothing stays open.
   */
  open(files: OnnxFile, output: TowerOutput, host: TowerHost): Promise<VisionTower>
}
