import {
  add,
  addInto,
  addWindowPositions,
  addWindowPositionsBackward,
  columnSums,
  concatColumns,
  sliceColumns,
  svaAttention,
  svaAttentionBackward,
  svaAttentionWithLse,
  svaShares,
  type Encoder,
  type SvaOptions,
  type SvaTower,
  type Tensor,
  type ValidBand,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import { LayerNorm } from '../layers/layer-norm'
import { Linear } from '../layers/linear'
import { LinearStack } from '../layers/linear-stack'
import { layerNormSpecs, linearSpecs, under, vector, type ParameterSpecs, type Weights } from '../parameters'

/** PyTorch's default; no config has it. */
export const LAYER_NORM_EPS = 1e-5

const PROJ_OUT = ['linear_1', 'linear_2'] as const

export interface SvaLayerConfig {
  /** Q: of the rows that ask, and of those that come out. */
  readonly queryWidth: number
  /** V: of the maps, and inside. */
  readonly hidden: number
  readonly heads: number
  /** Cells along each side of the query grid. */
  readonly side: number
  /** Cells along each side of the towers' maps: multiples of `side`. */
  readonly mapSides: readonly number[]
}

/** What queries look at. */
export interface SvaScene {
  /** f32 [1, V]: the mean of the first tower's whole map, letterbox included. */
  readonly context: Tensor
  /** f32 [S_t * S_t, V] for each tower. */
  readonly maps: readonly Tensor[]
  /** The picture's place in each map. */
  readonly bands: readonly ValidBand[]
}

/** The cells that ask, where not the whole grid does. */
export interface SvaCells {
  /** u32 [N]: y * side + x of each. */
  readonly cells: Tensor
  /** Rows of the grid they lie in, `from` to `to` (excluded). */
  readonly from: number
  readonly to: number
}

/** Where the gradients of what queries look at are added. */
export interface SvaSceneSums {
  readonly context: Tensor
  readonly maps: readonly Tensor[]
}

/** Names as in Cambrian-1's VisionCrossAttentionLayer; a tower with one cell a window has no positions. */
export function svaLayerSpecs(config: SvaLayerConfig): ParameterSpecs {
  const { queryWidth: Q, hidden: V, side, mapSides } = config
  const normed = (name: string) => ({
    ...under(`cross_attn.${name}.0`, layerNormSpecs(V)),
    ...under(`cross_attn.${name}.1`, linearSpecs(V, V, false)),
  })
  return {
    ...under('proj_context', linearSpecs(V, V, false)),
    ...under('proj_in', linearSpecs(V, Q + V, false)),
    ...under('proj_out.linear_1', linearSpecs(V, V, false)),
    ...under('proj_out.linear_2', linearSpecs(Q, V, false)),
    ...under('norm', layerNormSpecs(V)),
    ...normed('q_proj'),
    ...under('cross_attn.o_proj', linearSpecs(V, V, false)),
    ...Object.assign(
      {},
      ...mapSides.map((mapSide, t) => ({
        ...normed(`k_proj_${t}`),
        ...normed(`v_proj_${t}`),
        ...(mapSide > side && { [`pos_embed_${t}`]: vector((mapSide / side) ** 2, V) }),
      })),
    ),
  }
}

/** A norm and a linear layer behind it. */
class NormedLinear {
  readonly norm: LayerNorm
  readonly linear: Linear

  constructor(weights: Weights) {
    this.norm = LayerNorm.at(weights.at('0'), LAYER_NORM_EPS)
    this.linear = Linear.at(weights.at('1'))
  }

  forward(enc: Encoder, x: Tensor): Tensor {
    return enc.scope(() => this.linear.forward(enc, this.norm.forward(enc, x)))
  }

  /** dLoss/dx, where `wantsInput`. */
  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: true): Tensor
  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: boolean): Tensor | undefined
  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: boolean): Tensor | undefined {
    if (!wantsInput && !sums.some()) return undefined
    return enc.scope(() => {
      if (sums.at('1').some()) {
        enc.scope(() => this.linear.weightBackward(enc, dy, this.norm.forward(enc, x), sums.at('1')))
      }
      if (!wantsInput && !sums.at('0').some()) return undefined
      const dn = this.linear.backward(enc, dy)
      this.norm.weightBackward(enc, dn, x, sums.at('0'))
      return wantsInput ? this.norm.backward(enc, dn, x) : undefined
    })
  }
}

interface Tower {
  readonly k: NormedLinear
  readonly v: NormedLinear
  /** f32 [r * r, V]. */
  readonly positions: Tensor | undefined
}

/** A query's state as it goes to the towers. */
interface Asked {
  /** [N, Q + V]. */
  readonly joined: Tensor
  /** [N, V]. */
  readonly x: Tensor
  readonly q: Tensor
}

/**
 * One layer of the spatial vision aggregator: each cell of a query grid attends to its own window of every tower's map.
 *
 * Source: Tong et al. 2024, arXiv:2406.16860, section 3.2; Cambrian-1's VisionCrossAttentionLayer.
 */
export class SvaLayer {
  private readonly projContext: Linear
  private readonly projIn: Linear
  private readonly projOut: LinearStack
  private readonly norm: LayerNorm
  private readonly q: NormedLinear
  private readonly o: Linear
  private readonly towers: readonly Tower[]

  constructor(
    private readonly config: SvaLayerConfig,
    weights: Weights,
  ) {
    const attention = weights.at('cross_attn')
    this.projContext = Linear.at(weights.at('proj_context'))
    this.projIn = Linear.at(weights.at('proj_in'))
    this.projOut = LinearStack.at(weights.at('proj_out'), PROJ_OUT, 'gelu')
    this.norm = LayerNorm.at(weights.at('norm'), LAYER_NORM_EPS)
    this.q = new NormedLinear(attention.at('q_proj'))
    this.o = Linear.at(attention.at('o_proj'))
    this.towers = config.mapSides.map((mapSide, t) => ({
      k: new NormedLinear(attention.at(`k_proj_${t}`)),
      v: new NormedLinear(attention.at(`v_proj_${t}`)),
      positions: mapSide > config.side ? weights.vector(`pos_embed_${t}`) : undefined,
    }))
  }

  /** Shapes: q [N, Q] -> [N, Q], N being side * side without `cells`. */
  forward(enc: Encoder, q: Tensor, scene: SvaScene, cells?: SvaCells): Tensor {
    return enc.scope(() => {
      const { x, q: asked } = this.ask(enc, q, scene.context)
      const attended = enc.scope(() =>
        svaAttention(enc, asked, this.keysAndValues(enc, scene, cells), this.options(cells)),
      )
      return this.leave(enc, attended, x, q)
    })
  }

  /** As `forward`, with how much of each cell's attention falls on each tower [N, towers]. */
  forwardWithShares(
    enc: Encoder,
    q: Tensor,
    scene: SvaScene,
    cells?: SvaCells,
  ): { y: Tensor; shares: Tensor } {
    return enc.scope(() => {
      const { x, q: asked } = this.ask(enc, q, scene.context)
      const { attended, shares } = enc.scope(() => {
        const towers = this.keysAndValues(enc, scene, cells)
        const { y, lse } = svaAttentionWithLse(enc, asked, towers, this.options(cells))
        return { attended: y, shares: svaShares(enc, asked, lse, towers, this.options(cells)) }
      })
      return { y: this.leave(enc, attended, x, q), shares }
    })
  }

  /**
   * dLoss/dq from dLoss/dy; q, scene and cells as they were in the forward pass, which is computed again. Gradients of
   * parameters are added to `sums`, those of the scene to `sceneSums` where anybody asks for them.
   *
   * Shapes: dy [N, Q] -> [N, Q].
   */
  backward(
    enc: Encoder,
    dy: Tensor,
    q: Tensor,
    scene: SvaScene,
    cells: SvaCells | undefined,
    sums: GradientSums,
    sceneSums?: SvaSceneSums,
  ): Tensor {
    return enc.scope(() => {
      const asked = this.ask(enc, q, scene.context)
      const towers = this.keysAndValues(enc, scene, cells)
      const { y: attended, lse } = svaAttentionWithLse(enc, asked.q, towers, this.options(cells))
      const attention = sums.at('cross_attn')

      const dSum = enc.scope(() => {
        const sum = this.o.forward(enc, attended, { residual: asked.x })
        const normed = this.norm.forward(enc, sum)
        const dNormed = this.projOut.backward(enc, dy, normed, sums.at('proj_out'), true)
        this.norm.weightBackward(enc, dNormed, sum, sums.at('norm'))
        return this.norm.backward(enc, dNormed, sum)
      })
      this.o.weightBackward(enc, dSum, attended, attention.at('o_proj'))
      const dQuery = enc.scope(() => {
        const saved = { q: asked.q, y: attended, lse, dy: this.o.backward(enc, dSum) }
        const { dq, dk, dv } = svaAttentionBackward(enc, saved, towers, this.options(cells))
        for (const { k, v } of towers) {
          enc.release(k)
          enc.release(v)
        }
        for (let t = this.towers.length - 1; t >= 0; t--) {
          this.mapBackward(enc, t, dk[t]!, dv[t]!, scene.maps[t]!, cells, sums, sceneSums?.maps[t])
          enc.release(dk[t]!)
          enc.release(dv[t]!)
        }
        return dq
      })
      const dx = add(enc, dSum, this.q.backward(enc, dQuery, asked.x, attention.at('q_proj'), true))
      this.projIn.weightBackward(enc, dx, asked.joined, sums.at('proj_in'))
      const dJoined = this.projIn.backward(enc, dx)
      this.contextBackward(enc, dJoined, scene.context, sums.at('proj_context'), sceneSums?.context)
      return add(enc, dy, sliceColumns(enc, dJoined, { start: 0, count: this.config.queryWidth }))
    })
  }

  private options(cells: SvaCells | undefined): SvaOptions {
    const { heads, side } = this.config
    return { heads, side, cells: cells?.cells }
  }

  private ask(enc: Encoder, q: Tensor, context: Tensor): Asked {
    const joined = concatColumns(enc, [q, this.projContext.forward(enc, context)])
    const x = this.projIn.forward(enc, joined)
    return { joined, x, q: this.q.forward(enc, x) }
  }

  /** What follows the attention. Shapes: attended, x [N, V], q [N, Q] -> [N, Q]. */
  private leave(enc: Encoder, attended: Tensor, x: Tensor, q: Tensor): Tensor {
    return enc.scope(() => {
      const normed = enc.scope(() => this.norm.forward(enc, this.o.forward(enc, attended, { residual: x })))
      return this.projOut.forward(enc, normed, { residual: q })
    })
  }

  private contextBackward(
    enc: Encoder,
    dJoined: Tensor,
    context: Tensor,
    sums: GradientSums,
    sum: Tensor | undefined,
  ): void {
    if (!sum && !sums.some()) return
    enc.scope(() => {
      const { queryWidth, hidden } = this.config
      const dProjected = columnSums(enc, sliceColumns(enc, dJoined, { start: queryWidth, count: hidden }))
      this.projContext.weightBackward(enc, dProjected, context, sums)
      if (sum) addInto(enc, sum, this.projContext.backward(enc, dProjected))
    })
  }

  private keysAndValues(enc: Encoder, { maps, bands }: SvaScene, cells: SvaCells | undefined): SvaTower[] {
    return this.towers.map((tower, t) =>
      enc.scope(() => {
        const seen = this.seenRows(enc, t, cells)
        const map = rowsOfMap(this.positioned(enc, t, maps[t]!), seen)
        const side = this.config.mapSides[t]!
        const k = enc.scope(() => wholeMap(enc, tower.k.forward(enc, map), seen, side))
        const v = enc.scope(() => wholeMap(enc, tower.v.forward(enc, map), seen, side))
        return { k, v, side, valid: bands[t] }
      }),
    )
  }

  /** Gradients of one tower's keys and values down to its map. Shapes: dk, dv [S * S, V]. */
  private mapBackward(
    enc: Encoder,
    t: number,
    dk: Tensor,
    dv: Tensor,
    map: Tensor,
    cells: SvaCells | undefined,
    sums: GradientSums,
    mapSum: Tensor | undefined,
  ): void {
    const { k, v, positions } = this.towers[t]!
    const attention = sums.at('cross_attn')
    const dPositions = positions && sums.find(`pos_embed_${t}`)
    const wantsMap = dPositions !== undefined || mapSum !== undefined
    enc.scope(() => {
      const seen = this.seenRows(enc, t, cells)
      const x = rowsOfMap(this.positioned(enc, t, map), seen)
      const fromV = v.backward(enc, rowsOfMap(dv, seen), x, attention.at(`v_proj_${t}`), wantsMap)
      const fromK = k.backward(enc, rowsOfMap(dk, seen), x, attention.at(`k_proj_${t}`), wantsMap)
      if (!fromK || !fromV) return
      addInto(enc, fromK, fromV)
      enc.release(fromV)
      if (dPositions) {
        const dMap = wholeMap(enc, fromK, seen, this.config.mapSides[t]!, true)
        addInto(enc, dPositions, addWindowPositionsBackward(enc, dMap, this.windows(t)))
      }
      if (mapSum) addInto(enc, rowsOfMap(mapSum, seen), fromK)
    })
  }

  private positioned(enc: Encoder, t: number, map: Tensor): Tensor {
    const { positions } = this.towers[t]!
    return positions ? addWindowPositions(enc, map, positions, this.windows(t)) : map
  }

  private windows(t: number) {
    const { side, mapSides } = this.config
    return { side: mapSides[t]!, window: mapSides[t]! / side }
  }

  /** Rows of a map under the cells that ask; the first at an offset that a binding may have. */
  private seenRows(enc: Encoder, t: number, cells: SvaCells | undefined): RowRange {
    const { side, hidden, mapSides } = this.config
    const S = mapSides[t]!
    if (!cells) return { start: 0, count: S * S }
    const rowsOfCell = (S / side) * S
    let { from } = cells
    while ((from * rowsOfCell * hidden * 4) % enc.gpu.caps.offsetAlignment !== 0) from--
    return { start: from * rowsOfCell, count: (cells.to - from) * rowsOfCell }
  }
}

interface RowRange {
  readonly start: number
  readonly count: number
}

/** Some rows of a map, in place. */
function rowsOfMap(map: Tensor, { start, count }: RowRange): Tensor {
  const C = map.shape[1]!
  return { ...map, shape: [count, C], offset: map.offset + start * C * 4 }
}

/** Rows computed for part of a map at their place in a whole one; its other rows are left as they come, or zeros. */
function wholeMap(
  enc: Encoder,
  rows: Tensor,
  { start, count }: RowRange,
  side: number,
  isCleared = false,
): Tensor {
  if (count === side * side) return rows
  const C = rows.shape[1]!
  const whole = enc.temp([side * side, C], 'f32', 'map rows')
  if (isCleared) enc.clear(whole)
  enc.copy(rows, whole, { toOffset: start * C * 4 })
  return whole
}
