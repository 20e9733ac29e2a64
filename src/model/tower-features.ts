import { resampleRows, ShapeError, takeRows, type Encoder, type Tensor } from '../kernels'
import type { MapShape } from './vision/definition'

/** One tower's features of one picture, made when they are asked for: a pyramid joined is too wide to be held whole. */
export interface TowerFeatures {
  readonly rows: number
  readonly width: number
  /** Shapes: -> [count, width]; a temporary of `enc`. */
  take(enc: Encoder, start: number, count: number): Tensor
}

/** Rows as a tower gives them, but for the first `skip`. */
export function plainFeatures(rows: Tensor, skip: number): TowerFeatures {
  const [total, width] = rows.shape as [number, number]
  return {
    rows: total - skip,
    width,
    take: (enc, start, count) =>
      skip === 0 && start === 0 && count === total
        ? rows
        : takeRows(enc, rows, { batch: 1, start: skip + start, count }),
  }
}

/**
 * Maps resampled to one grid and joined on channels, bilinear without antialiasing.
 *
 * Shapes: maps [side_l * side_l, C_l] -> [side * side, sum of C_l], a range of rows at a time.
 * Source: Cambrian-1's vision towers (interpolate) and its multi-stage ConvNeXt.
 */
export function griddedFeatures(
  maps: readonly Tensor[],
  shapes: readonly MapShape[],
  side: number,
): TowerFeatures {
  const width = shapes.reduce((sum, shape) => sum + shape.width, 0)
  for (const [i, { side: from, width: channels }] of shapes.entries()) {
    const [rows, cols] = maps[i]?.shape ?? []
    if (rows !== from * from || cols !== channels) {
      throw new ShapeError(
        `tower features: map ${i} should be [${from * from}, ${channels}] but is [${rows}, ${cols}]`,
      )
    }
  }
  return {
    rows: side * side,
    width,
    take(enc: Encoder, start, count) {
      if (maps.length === 1 && shapes[0]!.side === side)
        return plainFeatures(maps[0]!, 0).take(enc, start, count)
      const tile = enc.temp([count, width], 'f32', 'tower features')
      let column = 0
      for (const [i, { side: from, width: channels }] of shapes.entries()) {
        resampleRows(enc, maps[i]!, {
          from: { height: from, width: from },
          to: { height: side, width: side },
          mode: 'bilinear',
          rows: { start, count },
          into: { tensor: tile, column },
        })
        column += channels
      }
      return tile
    },
  }
}
