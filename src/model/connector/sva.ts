import {
  addInto,
  areaCells,
  concatColumns,
  letterbox,
  meanRows,
  reshape,
  sliceColumns,
  unpaddedGrid,
  type Encoder,
  type GridArea,
  type Tensor,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import { LinearStack } from '../layers/linear-stack'
import { linearSpecs, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import { AuxProjector, auxProjectorSpecs } from './aux-projector'
import type {
  ConfiguredConnector,
  PictureSize,
  RowLayout,
  SampledPicture,
  TowerFeatures,
  TowerShares,
} from './definition'
import { addNewlines, addNewlinesBackward, gridLayout } from './picture-rows'
import { QueryGroup, queryGroupSpecs, type QueryGroupSaved } from './query-group'
import { svaSides, type SvaConfig, type SvaSides } from './sva-config'
import { SvaLayer, svaLayerSpecs, type SvaCells, type SvaLayerConfig, type SvaScene } from './sva-layer'
import { contextBackward, contextOf, SvaSampler, zeroSceneSums } from './sva-sampler'
import type { TrainableConnector } from './trainable'

export type { SvaConfig } from './sva-config'

const PROJECTOR = ['0', '2'] as const

/** What the backward pass of `join` needs. */
export interface SvaJoinSaved {
  readonly scene: SvaScene
  readonly area: GridArea
  readonly kept: SvaCells
  readonly groups: readonly QueryGroupSaved[]
  /** [N, G * V]: what entered mm_projector. */
  readonly answers: Tensor
}

/** Cambrian-1's spatial vision aggregator. Source: Tong et al. 2024, arXiv:2406.16860. */
class SvaConnector implements TrainableConnector<SvaJoinSaved> {
  readonly samplers: ReadonlyMap<number, SvaSampler>
  readonly learnsMaps = true
  private readonly aux: readonly AuxProjector[]
  private readonly groups: readonly QueryGroup[]
  private readonly projector: LinearStack
  /** [G, V]. */
  private readonly queries: Tensor
  /** [D]. */
  private readonly newline: Tensor

  constructor(
    private readonly config: SvaConfig,
    private readonly sides: SvaSides,
    weights: Weights,
  ) {
    const { tokens, hidden, depth, samplerLayers } = config
    this.aux = tokens.map((_, t) => new AuxProjector(hidden, weights.at(`mm_projector_aux_${t}`)))
    this.groups = sides.queries.map(
      (side, g) =>
        new QueryGroup(groupLayer(config, sides, side), depth, sides.grid, weights.at(`vision_sampler_${g}`)),
    )
    this.projector = LinearStack.at(weights.at('mm_projector'), PROJECTOR, 'gelu')
    this.queries = weights.vector('vision_query')
    this.newline = weights.vector('image_newline')
    this.samplers = new Map(
      samplerLayers.map((layer, m) => {
        const name = `vision_sampler_layers.${m}.layers.0`
        const sampler = new SvaLayer(samplerLayer(config, sides), weights.at(name))
        return [layer, new SvaSampler(name, sampler, sides.grid, this.sceneOf)]
      }),
    )
  }

  keep(enc: Encoder, tower: number, features: TowerFeatures): Tensor {
    return this.aux[tower]!.forward(enc, features)
  }

  keepBackward(
    enc: Encoder,
    tower: number,
    features: TowerFeatures,
    dMap: Tensor,
    sums: GradientSums,
    onInput?: (start: number, dFeatures: Tensor) => void,
  ): void {
    this.aux[tower]!.backward(enc, features, dMap, sums.at(`mm_projector_aux_${tower}`), onInput)
  }

  join(enc: Encoder, maps: readonly Tensor[], size: PictureSize): Tensor {
    return enc.scope(() => this.joinTraining(enc, maps, size).rows)
  }

  /**
   * Padded cells that no prompt sees are not computed. A picture so thin that the original keeps no row of cells, and
   * fails, keeps its middle ones.
   */
  joinTraining(
    enc: Encoder,
    maps: readonly Tensor[],
    size: PictureSize,
  ): { rows: Tensor; saved: SvaJoinSaved } {
    return enc.scope(() => {
      const scene = this.sceneOf(enc, { maps, size })
      const { area } = this.layout(size)
      const kept = this.keptCells(enc, area)
      const asked = this.groups.map((group, g) => group.forward(enc, this.query(enc, g), scene, kept))
      const answers = concatColumns(
        enc,
        asked.map(({ answers }) => answers),
      )
      const rows = addNewlines(enc, this.projector.forward(enc, answers), this.newline, area)
      return { rows, saved: { scene, area, kept, groups: asked.map(({ saved }) => saved), answers } }
    })
  }

  joinBackward(
    enc: Encoder,
    dRows: Tensor,
    { scene, area, kept, groups, answers }: SvaJoinSaved,
    sums: GradientSums,
    mapSums?: readonly Tensor[],
  ): void {
    enc.scope(() => {
      const { hidden } = this.config
      const dCells = addNewlinesBackward(enc, dRows, area, sums.find('image_newline'))
      const queryGradient = sums.find('vision_query')
      const wanted = groups.map(
        (_, g) => Boolean(mapSums ?? queryGradient) || sums.at(`vision_sampler_${g}`).some(),
      )
      const dAnswers = this.projector.backward(
        enc,
        dCells,
        answers,
        sums.at('mm_projector'),
        wanted.includes(true),
      )
      if (!dAnswers) return
      const sceneSums = mapSums && zeroSceneSums(enc, scene, mapSums)
      const dQueries = enc.temp([groups.length, hidden], 'f32', 'vision_query gradient')
      enc.clear(dQueries)
      for (let g = groups.length - 1; g >= 0; g--) {
        if (!wanted[g]) continue
        enc.scope(() => {
          const own = sliceColumns(enc, dAnswers, { start: g * hidden, count: hidden })
          const group = sums.at(`vision_sampler_${g}`)
          const dQuery = this.groups[g]!.backward(enc, own, groups[g]!, scene, kept, group, sceneSums)
          enc.copy(dQuery, dQueries, { toOffset: g * hidden * 4 })
        })
      }
      if (queryGradient) addInto(enc, queryGradient, dQueries)
      if (sceneSums) contextBackward(enc, sceneSums)
    })
  }

  layout({ width, height }: PictureSize): RowLayout {
    return gridLayout(unpaddedGrid(width, height, this.sides.grid), this.sides.grid)
  }

  /** The mean over the connector's layers and query groups; samplers inside the language model are not in it. */
  shares(enc: Encoder, maps: readonly Tensor[], size: PictureSize): TowerShares {
    const { area, side } = this.layout(size)
    const shares = enc.scope(() => {
      const scene = this.sceneOf(enc, { maps, size })
      const kept = this.keptCells(enc, area)
      const layers = this.groups.flatMap((group, g) => group.shares(enc, this.query(enc, g), scene, kept))
      const count = area.rows * area.columns * maps.length
      const stacked = enc.temp([layers.length, count], 'f32', 'sva shares')
      layers.forEach((layer, i) => enc.copy(layer, stacked, { toOffset: i * count * 4 }))
      return reshape(meanRows(enc, stacked, { batch: 1 }), [area.rows * area.columns, maps.length])
    })
    return { shares, side, area }
  }

  private keptCells(enc: Encoder, area: GridArea): SvaCells {
    const cells = enc.constant(areaCells(area, this.sides.grid))
    return { cells, from: area.top, to: area.top + area.rows }
  }

  /** A group's learnt query [1, V]. */
  private query(enc: Encoder, g: number): Tensor {
    const { hidden } = this.config
    const query = enc.temp([1, hidden], 'f32', 'vision_query')
    enc.copy(this.queries, query, { fromOffset: g * hidden * 4, bytes: hidden * 4 })
    return query
  }

  private readonly sceneOf = (enc: Encoder, { maps, size: { width, height } }: SampledPicture): SvaScene => ({
    context: contextOf(enc, maps),
    maps,
    bands: this.sides.maps.map((side) => letterbox(width, height, side)),
  })
}

const groupLayer = ({ hidden, heads }: SvaConfig, { maps }: SvaSides, side: number): SvaLayerConfig => ({
  queryWidth: hidden,
  hidden,
  heads,
  side,
  mapSides: maps,
})

const samplerLayer = ({ textWidth, hidden, heads }: SvaConfig, { grid, maps }: SvaSides): SvaLayerConfig => ({
  queryWidth: textWidth,
  hidden,
  heads,
  side: grid,
  mapSides: maps,
})

/**
 * Cambrian-1's connector, its parameters under the checkpoint's names below `model.`.
 *
 * Throws: ConfigError naming the field that it cannot serve.
 */
export function sva(config: SvaConfig): ConfiguredConnector {
  const sides = svaSides(config)
  const { textWidth: D, hidden: V, visionWidths, queryGroups, depth, samplerLayers } = config
  const params = (): ParameterSpecs =>
    Object.assign(
      { vision_query: vector(queryGroups, V), image_newline: vector(D) },
      ...visionWidths.map((width, t) => under(`mm_projector_aux_${t}`, auxProjectorSpecs(width, V))),
      under('mm_projector.0', linearSpecs(D, V * queryGroups, true)),
      under('mm_projector.2', linearSpecs(D, D, true)),
      ...sides.queries.map((side, g) =>
        under(`vision_sampler_${g}`, queryGroupSpecs(groupLayer(config, sides, side), depth)),
      ),
      ...samplerLayers.map((_, m) =>
        under(`vision_sampler_layers.${m}.layers.0`, svaLayerSpecs(samplerLayer(config, sides))),
      ),
    ) as ParameterSpecs
  return {
    keptWidth: V,
    params,
    create: (weights: Weights) => new SvaConnector(config, sides, weights),
  }
}
