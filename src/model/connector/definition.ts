import type { Activation, Encoder, Tensor } from '../../kernels'
import type { ParameterSpecs, Weights } from '../parameters'

/** What a connector joins, read from the checkpoint's config by its family. */
export interface ConnectorConfig {
  /** Width of a tower's feature row. */
  readonly visionWidth: number
  /** Width of the language model. */
  readonly textWidth: number
  readonly activation: Activation
  readonly bias: boolean
}

/** From tower features to rows of the language model's embedding space. */
export interface Connector {
  /** Shapes: x [P, visionWidth] -> [P, textWidth]. */
  forward(enc: Encoder, x: Tensor): Tensor
}

/** A connector as data plus functions; one file each. */
export interface ConnectorSlot {
  readonly type: string
  params(config: ConnectorConfig): ParameterSpecs
  create(config: ConnectorConfig, weights: Weights): Connector
}
