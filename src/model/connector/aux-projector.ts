import type { Encoder, Tensor } from '../../kernels'
import type { GradientSums } from '../gradients'
import { LayerNorm } from '../layers/layer-norm'
import { LinearStack } from '../layers/linear-stack'
import { layerNormSpecs, linearSpecs, under, type ParameterSpecs, type Weights } from '../parameters'
import type { TowerFeatures } from './definition'
import { LAYER_NORM_EPS } from './sva-layer'

/** Most bytes of the features in flight; a release's widest map has 212 MB. */
const TILE_BYTES = 32 * 2 ** 20

const LINEARS = ['0', '2'] as const

export const auxProjectorSpecs = (visionWidth: number, hidden: number): ParameterSpecs => ({
  ...under('0', linearSpecs(hidden, visionWidth, true)),
  ...under('2', linearSpecs(hidden, hidden, true)),
  ...under('3', layerNormSpecs(hidden)),
})

/** One tower's features to the width of the aggregator: linear, GELU, linear, layer norm; rows in tiles. */
export class AuxProjector {
  private readonly linears: LinearStack
  private readonly norm: LayerNorm

  constructor(
    private readonly hidden: number,
    weights: Weights,
    private readonly tileBytes = TILE_BYTES,
  ) {
    this.linears = LinearStack.at(weights, LINEARS, 'gelu')
    this.norm = LayerNorm.at(weights.at('3'), LAYER_NORM_EPS)
  }

  /** Shapes: features [n, C_t] -> [n, V]. */
  forward(enc: Encoder, features: TowerFeatures): Tensor {
    const { rows } = features
    const project = (start: number, count: number) =>
      enc.scope(() => this.norm.forward(enc, this.linears.forward(enc, features.take(enc, start, count))))
    const tile = this.tileRows(enc, features)
    if (tile >= rows) return project(0, rows)
    const map = enc.temp([rows, this.hidden], 'f32', 'tower map')
    for (let start = 0; start < rows; start += tile) {
      enc.scope(() => {
        const part = project(start, Math.min(tile, rows - start))
        enc.copy(part, map, { toOffset: start * this.hidden * 4 })
      })
    }
    return map
  }

  /** Shapes: dMap [n, V]; dLoss/dfeatures goes to `onInput` tile by tile. */
  backward(
    enc: Encoder,
    features: TowerFeatures,
    dMap: Tensor,
    sums: GradientSums,
    onInput?: (start: number, dFeatures: Tensor) => void,
  ): void {
    if (!onInput && !sums.some()) return
    const tile = this.tileRows(enc, features)
    for (let start = 0; start < features.rows; start += tile) {
      const count = Math.min(tile, features.rows - start)
      enc.scope(() => {
        const x = features.take(enc, start, count)
        const dy = this.tileOf(enc, dMap, start, count)
        const projected = this.linears.forward(enc, x)
        this.norm.weightBackward(enc, dy, projected, sums.at('3'))
        const dProjected = this.norm.backward(enc, dy, projected)
        const dx = this.linears.backward(enc, dProjected, x, sums, onInput !== undefined)
        if (dx) onInput!(start, dx)
      })
    }
  }

  private tileOf(enc: Encoder, map: Tensor, start: number, count: number): Tensor {
    if (count === map.shape[0]) return map
    const tile = enc.temp([count, this.hidden], 'f32', 'tower map tile')
    enc.copy(map, tile, { fromOffset: start * this.hidden * 4, bytes: count * this.hidden * 4 })
    return tile
  }

  private tileRows(enc: Encoder, { rows, width }: TowerFeatures): number {
    const rowBytes = Math.max(width, this.hidden) * 4
    const bytes = Math.min(this.tileBytes, enc.gpu.caps.maxBindingBytes)
    return Math.min(rows, Math.max(1, Math.floor(bytes / rowBytes)))
  }
}
