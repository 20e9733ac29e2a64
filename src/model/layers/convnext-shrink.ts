import { lastDim, spaceToDepth, type Encoder, type Tensor } from '../../kernels'
import { layerNormSpecs, matrix, under, vector, type ParameterSpecs, type Weights } from '../parameters'
import type { MapSize } from './convnext-block'
import { LayerNorm } from './layer-norm'
import { Linear } from './linear'
import { rowsAt, rowTiles } from './row-tiles'

/** Side of the convolution, and what the map's sides are divided by. */
const BLOCK = 2
/** Bytes of normed rows that exist at once. */
const NORMED_BYTES = 16 * 2 ** 20

/** Where a layout of checkpoints keeps its parameters, below the stage. */
export interface ConvNextShrinkNames {
  readonly norm: string
  readonly conv: string
}

export function convNextShrinkSpecs(from: number, to: number, names: ConvNextShrinkNames): ParameterSpecs {
  return {
    ...under(names.norm, layerNormSpecs(from)),
    ...under(names.conv, { weight: matrix(to, from, BLOCK, BLOCK), bias: vector(to) }),
  }
}

/** The map's size behind it; odd last rows and columns are dropped. */
export const shrunk = ({ batch, height, width }: MapSize): MapSize => ({
  batch,
  height: Math.floor(height / BLOCK),
  width: Math.floor(width / BLOCK),
})

/** What halves a ConvNeXt's map before a stage: a norm and a convolution of 2 x 2 cells. */
export class ConvNextShrink {
  private readonly norm: LayerNorm
  private readonly conv: Linear

  constructor(
    names: ConvNextShrinkNames,
    layerNormEps: number,
    weights: Weights,
    private readonly normedBytes = NORMED_BYTES,
  ) {
    this.norm = LayerNorm.at(weights.at(names.norm), layerNormEps)
    this.conv = Linear.at(weights.at(names.conv))
  }

  /** Shapes: x [B*H*W, C] -> [B*floor(H/2)*floor(W/2), C']. */
  forward(enc: Encoder, x: Tensor, size: MapSize): Tensor {
    const { batch, height, width } = shrunk(size)
    const bandRows = BLOCK * size.width
    const bandBytes = 4 * bandRows * lastDim(x)
    const tiles = rowTiles(enc.gpu.caps, batch * height, {
      rowBytes: bandBytes,
      heldBytes: bandBytes,
      limitBytes: this.normedBytes,
    })
    // Bands of two map rows follow each other from picture to picture only where none is left over.
    if (tiles.length === 1 || (batch > 1 && size.height % BLOCK !== 0)) return this.part(enc, x, size)
    const y = enc.temp([batch * height * width, this.conv.weight.rows], 'f32', 'convnext shrink')
    for (const { start, count } of tiles) {
      enc.scope(() => {
        const bands = rowsAt(x, start * bandRows, count * bandRows)
        const part = this.part(enc, bands, { batch: 1, height: count * BLOCK, width: size.width })
        enc.copy(part, rowsAt(y, start * width, count * width))
      })
    }
    return y
  }

  private part(enc: Encoder, x: Tensor, size: MapSize): Tensor {
    return enc.scope(() => {
      const normed = this.norm.forward(enc, x)
      const cells = spaceToDepth(enc, normed, { ...size, block: BLOCK })
      enc.release(normed)
      return this.conv.forward(enc, cells)
    })
  }
}
