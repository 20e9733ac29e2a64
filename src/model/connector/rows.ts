import type { Encoder, Tensor } from '../../kernels'
import type { Weights } from '../parameters'
import type {
  ConfiguredConnector,
  Connector,
  ConnectorConfig,
  ConnectorSlot,
  PictureConnector,
  TowerFeatures,
} from './definition'

/** One tower's rows, each through a connector: LLaVA and all that follow it. */
class RowsConnector implements PictureConnector {
  readonly samplers = new Map()

  constructor(private readonly connector: Connector) {}

  keep(enc: Encoder, _tower: number, features: TowerFeatures): Tensor {
    return features.take(enc, 0, features.rows)
  }

  join(enc: Encoder, maps: readonly Tensor[]): Tensor {
    return this.connector.forward(enc, maps[0]!)
  }
}

/** Makes a connector of rows one of pictures. */
export const perRow = (slot: ConnectorSlot, config: ConnectorConfig): ConfiguredConnector => ({
  keptWidth: config.visionWidth,
  params: () => slot.params(config),
  create: (weights: Weights) => new RowsConnector(slot.create(config, weights)),
})
