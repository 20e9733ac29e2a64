import {
  addInto,
  areaCells,
  concatColumns,
  gatherRows,
  sliceColumns,
  splice,
  unpaddedGrid,
  type Encoder,
  type GridArea,
  type Tensor,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import { vector, type ParameterSpecs, type Weights } from '../parameters'
import type {
  ConfiguredConnector,
  Connector,
  ConnectorConfig,
  ConnectorSlot,
  PictureConnector,
  PictureSize,
  RowLayout,
  TowerFeatures,
} from './definition'
import { addNewlines, addNewlinesBackward, gridLayout } from './picture-rows'
import { sideOf } from './sva-config'
import { isTrainableRows, type TrainableConnector, type TrainableRows } from './trainable'

export interface GridConnectorConfig {
  readonly textWidth: number
  /** Width of each tower's feature row. */
  readonly visionWidths: readonly number[]
  /** Rows of every tower's square map (`image_token_len`). */
  readonly imageTokens: number
}

/** Towers' maps of one size side by side on channels, each cell through a connector of rows. */
class GridConnector<C extends Connector> implements PictureConnector {
  readonly samplers = new Map()
  /** [D]. */
  protected readonly newline: Tensor

  constructor(
    protected readonly connector: C,
    protected readonly side: number,
    protected readonly visionWidths: readonly number[],
    weights: Weights,
  ) {
    this.newline = weights.vector('image_newline')
  }

  keep(enc: Encoder, _tower: number, features: TowerFeatures): Tensor {
    return features.take(enc, 0, features.rows)
  }

  join(enc: Encoder, maps: readonly Tensor[], size: PictureSize): Tensor {
    return enc.scope(() => this.joinTraining(enc, maps, size).rows)
  }

  layout({ width, height }: PictureSize): RowLayout {
    return gridLayout(unpaddedGrid(width, height, this.side), this.side)
  }

  joinTraining(enc: Encoder, maps: readonly Tensor[], size: PictureSize): { rows: Tensor; saved: GridSaved } {
    return enc.scope(() => {
      const area = unpaddedGrid(size.width, size.height, this.side)
      const kept = enc.constant(areaCells(area, this.side))
      const joined = concatColumns(
        enc,
        maps.map((map) => gatherRows(enc, map, kept)),
      )
      const rows = addNewlines(enc, this.connector.forward(enc, joined), this.newline, area)
      return { rows, saved: { area, kept, joined } }
    })
  }
}

interface GridSaved {
  readonly area: GridArea
  readonly kept: Tensor
  /** [N, sum of C_t]. */
  readonly joined: Tensor
}

class TrainableGridConnector extends GridConnector<TrainableRows> implements TrainableConnector<GridSaved> {
  readonly learnsMaps = false

  constructor(
    connector: TrainableRows,
    side: number,
    visionWidths: readonly number[],
    weights: Weights,
    private readonly spelling: Spelling,
  ) {
    super(connector, side, visionWidths, weights)
  }

  joinBackward(
    enc: Encoder,
    dRows: Tensor,
    { area, kept, joined }: GridSaved,
    sums: GradientSums,
    mapSums?: readonly Tensor[],
  ): void {
    enc.scope(() => {
      const dCells = addNewlinesBackward(enc, dRows, area, sums.find('image_newline'))
      const own = respelledSums(sums, this.spelling)
      const dJoined = this.connector.backward(enc, dCells, joined, own, mapSums !== undefined)
      if (!mapSums || !dJoined) return
      let start = 0
      for (const [t, count] of this.visionWidths.entries()) {
        const dMap = enc.temp(mapSums[t]!.shape, 'f32', 'map gradient')
        enc.clear(dMap)
        splice(enc, dMap, sliceColumns(enc, dJoined, { start, count }), kept)
        addInto(enc, mapSums[t]!, dMap)
        start += count
      }
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

/**
 * Cambrian-1 without its aggregator, its parameters under the checkpoint's names below `model.`.
 *
 * Throws: ConfigError naming the field that it cannot serve.
 * Source: Cambrian-1, prepare_inputs_labels_for_multimodal.
 */
export function gridConnector(slot: ConnectorSlot, config: GridConnectorConfig): ConfiguredConnector {
  const { textWidth, visionWidths, imageTokens } = config
  const side = sideOf('image_token_len', imageTokens)
  const visionWidth = visionWidths.reduce((sum, width) => sum + width, 0)
  const rows: ConnectorConfig = { visionWidth, textWidth, activation: 'gelu', bias: true }
  const spelling = spellingOf(slot)
  return {
    keptWidth: Math.max(...visionWidths),
    params: (): ParameterSpecs => ({
      image_newline: vector(textWidth),
      ...Object.fromEntries(Object.entries(slot.params(rows)).map(([name, spec]) => [spelling(name), spec])),
    }),
    create(weights) {
      const connector = slot.create(rows, respelled(weights, spelling))
      return isTrainableRows(connector)
        ? new TrainableGridConnector(connector, side, visionWidths, weights, spelling)
        : new GridConnector(connector, side, visionWidths, weights)
    },
  }
}

/** From a connector's name for a parameter to that of the checkpoint. */
type Spelling = (name: string) => string

/** `linear_2.weight` is `mm_projector.2.weight` there, or `mm_projector.weight` where there is one layer and no list. */
const spellingOf =
  ({ type }: ConnectorSlot): Spelling =>
  (name) =>
    name.replace(/^linear_(\d+)\./, (_, layer: string) =>
      type === 'linear' ? 'mm_projector.' : `mm_projector.${2 * (Number(layer) - 1)}.`,
    )

/** Weights by a connector's own names. */
const respelled = (weights: Weights, spelling: Spelling, prefix = ''): Weights => ({
  matrix: (name) => weights.matrix(spelling(prefix + name)),
  optionalMatrix: (name) => weights.optionalMatrix(spelling(prefix + name)),
  vector: (name) => weights.vector(spelling(prefix + name)),
  optionalVector: (name) => weights.optionalVector(spelling(prefix + name)),
  at: (name) => respelled(weights, spelling, `${prefix}${name}.`),
})

/** Gradients by a connector's own names. */
const respelledSums = (sums: GradientSums, spelling: Spelling, prefix = ''): GradientSums => ({
  find: (name) => sums.find(spelling(prefix + name)),
  at: (name) => respelledSums(sums, spelling, `${prefix}${name}.`),
  some: () => sums.at('mm_projector').some(),
})
