import {
  columnSums,
  gatherRows,
  resampleRows,
  resampleRowsBackward,
  splice,
  type Encoder,
  type Tensor,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import { under, type ParameterSpecs, type Weights } from '../parameters'
import {
  SvaLayer,
  svaLayerSpecs,
  type SvaCells,
  type SvaLayerConfig,
  type SvaScene,
  type SvaSceneSums,
} from './sva-layer'

/** Parameters of `vision_sampler_{g}`. */
export const queryGroupSpecs = (layer: SvaLayerConfig, depth: number): ParameterSpecs =>
  Object.assign(
    {},
    ...Array.from({ length: depth }, (_, j) => under(`layers.${j}`, svaLayerSpecs(layer))),
  ) as ParameterSpecs

/** What a group's backward pass needs: the queries that entered each layer. */
export type QueryGroupSaved = readonly Tensor[]

/** One learnt query asked at every cell of a grid, through layers of aggregation. */
export class QueryGroup {
  private readonly layers: readonly SvaLayer[]

  constructor(
    private readonly config: SvaLayerConfig,
    depth: number,
    /** Cells along each side of the grid that enters the prompt. */
    private readonly grid: number,
    weights: Weights,
  ) {
    this.layers = Array.from({ length: depth }, (_, j) => new SvaLayer(config, weights.at(`layers.${j}`)))
  }

  /**
   * The group's answer at the cells of the prompt's grid that are asked for.
   *
   * A grid of the same size asks only at these; another is resized as a whole, its padded cells too, as the original does.
   * Shapes: query [1, V] -> [N, V].
   */
  forward(
    enc: Encoder,
    query: Tensor,
    scene: SvaScene,
    kept: SvaCells,
  ): { answers: Tensor; saved: QueryGroupSaved } {
    return enc.scope(() => {
      const cells = this.asked(kept)
      let q = this.ask(enc, query, cells)
      const saved: Tensor[] = []
      for (const layer of this.layers) {
        saved.push(q)
        q = layer.forward(enc, q, scene, cells)
      }
      return { answers: cells ? q : this.keptOf(enc, q, kept), saved }
    })
  }

  /**
   * How much each tower gives to the cells that are asked for, in every layer.
   *
   * Shapes: query [1, V] -> [N, towers] a layer.
   */
  shares(enc: Encoder, query: Tensor, scene: SvaScene, kept: SvaCells): Tensor[] {
    return enc.scope(() => {
      const cells = this.asked(kept)
      let q = this.ask(enc, query, cells)
      return this.layers.map((layer) => {
        const { y, shares } = layer.forwardWithShares(enc, q, scene, cells)
        q = y
        return cells ? shares : this.keptOf(enc, shares, kept)
      })
    })
  }

  /** dLoss/dquery. Shapes: dAnswers [N, V] -> [V]. */
  backward(
    enc: Encoder,
    dAnswers: Tensor,
    saved: QueryGroupSaved,
    scene: SvaScene,
    kept: SvaCells,
    sums: GradientSums,
    sceneSums: SvaSceneSums | undefined,
  ): Tensor {
    return enc.scope(() => {
      const cells = this.asked(kept)
      let dq = dAnswers
      if (!cells) {
        const dGrid = enc.temp([this.grid ** 2, this.config.hidden], 'f32', 'grid gradient')
        enc.clear(dGrid)
        splice(enc, dGrid, dAnswers, kept.cells)
        dq = resampleRowsBackward(enc, dGrid, this.sizes())
      }
      for (let j = this.layers.length - 1; j >= 0; j--) {
        dq = this.layers[j]!.backward(enc, dq, saved[j]!, scene, cells, sums.at(`layers.${j}`), sceneSums)
      }
      return columnSums(enc, dq)
    })
  }

  /** The query at every cell that asks. Shapes: [1, C] -> [N, C]. */
  private ask(enc: Encoder, query: Tensor, cells: SvaCells | undefined): Tensor {
    const count = cells ? cells.cells.shape[0]! : this.config.side ** 2
    return gatherRows(enc, query, enc.constant(new Uint32Array(count)))
  }

  /** The whole grid resized to the prompt's, and its cells that are asked for. Shapes: [side * side, C] -> [N, C]. */
  private keptOf(enc: Encoder, grid: Tensor, kept: SvaCells): Tensor {
    return enc.scope(() =>
      gatherRows(enc, resampleRows(enc, grid, { ...this.sizes(), mode: 'bilinear' }), kept.cells),
    )
  }

  private asked(kept: SvaCells): SvaCells | undefined {
    return this.config.side === this.grid ? kept : undefined
  }

  private sizes() {
    const { side } = this.config
    return { from: { height: side, width: side }, to: { height: this.grid, width: this.grid } }
  }
}
