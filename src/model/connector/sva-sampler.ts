import {
  addInto,
  gatherRows,
  meanRows,
  meanRowsBackward,
  splice,
  unpaddedGrid,
  type Encoder,
  type Tensor,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import type { SampledPicture } from './definition'
import { SvaLayer, type SvaCells, type SvaScene, type SvaSceneSums } from './sva-layer'
import type { TrainableSampler } from './trainable'

/** Builds what a picture's queries look at. */
export type SceneOf = (enc: Encoder, picture: SampledPicture) => SvaScene

/** A layer of aggregation whose queries are a picture's rows inside the language model. */
export class SvaSampler implements TrainableSampler {
  constructor(
    /** Of its parameters, below the connector. */
    private readonly name: string,
    private readonly layer: SvaLayer,
    /** Cells along each side of the padded grid. */
    private readonly grid: number,
    private readonly sceneOf: SceneOf,
  ) {}

  /** Newline rows pass as they are. */
  refine(enc: Encoder, x: Tensor, picture: SampledPicture, firstRow: number): Tensor {
    return enc.scope(() => {
      const asked = this.asked(enc, x, picture, firstRow)
      if (!asked) return x
      const refined = this.layer.forward(
        enc,
        gatherRows(enc, x, asked.rows),
        this.sceneOf(enc, picture),
        asked,
      )
      const y = enc.temp(x.shape, 'f32', 'refined rows')
      enc.copy(x, y)
      splice(enc, y, refined, asked.rows)
      return y
    })
  }

  refineBackward(
    enc: Encoder,
    dy: Tensor,
    x: Tensor,
    picture: SampledPicture,
    firstRow: number,
    sums: GradientSums,
    mapSums?: readonly Tensor[],
  ): Tensor {
    return enc.scope(() => {
      const asked = this.asked(enc, x, picture, firstRow)
      if (!asked) return dy
      const scene = this.sceneOf(enc, picture)
      const sceneSums = mapSums && zeroSceneSums(enc, scene, mapSums)
      const q = gatherRows(enc, x, asked.rows)
      const dRefined = gatherRows(enc, dy, asked.rows)
      const dq = this.layer.backward(enc, dRefined, q, scene, asked, sums.at(this.name), sceneSums)
      if (sceneSums) contextBackward(enc, sceneSums)
      const dx = enc.temp(x.shape, 'f32', 'refined rows dx')
      enc.copy(dy, dx)
      splice(enc, dx, dq, asked.rows)
      return dx
    })
  }

  /** Which of the rows are cells, and where those stand in the grid; undefined where all are newlines. */
  private asked(enc: Encoder, x: Tensor, { size }: SampledPicture, firstRow: number) {
    const { top, left, columns } = unpaddedGrid(size.width, size.height, this.grid)
    const rows: number[] = []
    const cells: number[] = []
    for (let row = 0; row < x.shape[0]!; row++) {
      const column = (firstRow + row) % (columns + 1)
      if (column === columns) continue
      rows.push(row)
      cells.push((top + Math.floor((firstRow + row) / (columns + 1))) * this.grid + left + column)
    }
    if (!rows.length) return undefined
    return {
      rows: enc.constant(Uint32Array.from(rows)),
      cells: enc.constant(Uint32Array.from(cells)),
      from: Math.floor(cells[0]! / this.grid),
      to: Math.floor(cells[cells.length - 1]! / this.grid) + 1,
    } satisfies SvaCells & { rows: Tensor }
  }
}

/** The mean over the whole first map, letterbox included, as the original takes it. */
export const contextOf = (enc: Encoder, maps: readonly Tensor[]): Tensor =>
  meanRows(enc, maps[0]!, { batch: 1 })

/** Sums for the maps as given, and one of zeros for the context. */
export function zeroSceneSums(enc: Encoder, { context }: SvaScene, maps: readonly Tensor[]): SvaSceneSums {
  const sum = enc.temp(context.shape, 'f32', 'context gradient')
  enc.clear(sum)
  return { context: sum, maps }
}

/** Adds to the first map's gradient what came through the context. */
export function contextBackward(enc: Encoder, { context, maps }: SvaSceneSums): void {
  const first = maps[0]!
  enc.scope(() => addInto(enc, first, meanRowsBackward(enc, context, { rows: first.shape[0]! })))
}
