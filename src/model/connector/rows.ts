import { addInto, type Encoder, type Tensor } from '../../kernels'
import type { GradientSums } from '../gradients'
import type { Weights } from '../parameters'
import type {
  ConfiguredConnector,
  Connector,
  ConnectorConfig,
  ConnectorSlot,
  PictureConnector,
  TowerFeatures,
} from './definition'
import { isTrainableRows, type TrainableConnector, type TrainableRows } from './trainable'

/** One tower's rows, each through a connector: LLaVA and all that follow it. */
class RowsConnector<C extends Connector> implements PictureConnector {
  readonly samplers = new Map()

  constructor(protected readonly connector: C) {}

  keep(enc: Encoder, _tower: number, features: TowerFeatures): Tensor {
    return features.take(enc, 0, features.rows)
  }

  join(enc: Encoder, maps: readonly Tensor[]): Tensor {
    return this.connector.forward(enc, maps[0]!)
  }
}

class TrainableRowsConnector extends RowsConnector<TrainableRows> implements TrainableConnector<Tensor> {
  readonly learnsMaps = false

  joinTraining(enc: Encoder, maps: readonly Tensor[]): { rows: Tensor; saved: Tensor } {
    return { rows: this.join(enc, maps), saved: maps[0]! }
  }

  joinBackward(
    enc: Encoder,
    dRows: Tensor,
    x: Tensor,
    sums: GradientSums,
    mapSums?: readonly Tensor[],
  ): void {
    enc.scope(() => {
      const dx = this.connector.backward(enc, dRows, x, sums, mapSums !== undefined)
      if (dx && mapSums) addInto(enc, mapSums[0]!, dx)
    })
  }

  keepBackward(
    _enc: Encoder,
    _tower: number,
    _features: TowerFeatures,
    dMap: Tensor,
    _sums: GradientSums,
    onInput?: (start: number, dFeatures: Tensor) => void,
  ): void {
    onInput?.(0, dMap)
  }
}

/** Makes a connector of rows one of pictures. */
export const perRow = (slot: ConnectorSlot, config: ConnectorConfig): ConfiguredConnector => ({
  keptWidth: config.visionWidth,
  params: () => slot.params(config),
  create(weights: Weights) {
    const connector = slot.create(config, weights)
    return isTrainableRows(connector) ? new TrainableRowsConnector(connector) : new RowsConnector(connector)
  },
})
