import type { GridArea } from '../kernels'
import type { PictureConnector, PictureSize, RowLayout } from './connector/definition'
import { ConfigError } from './errors'
import type { TowerBlueprint } from './family/definition'
import { resizedSize } from './image/preprocess'
import type { ImageProcessor } from './image/processor'

/** A rectangle on a picture, in fractions of its width and height; outside 0 to 1 lies padding. */
export interface Region {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** The part of a picture that an image processor shows to a tower. */
export function shownRegion(size: PictureSize, processor: ImageProcessor): Region {
  const { width, height } = size
  const square = Math.max(width, height)
  const padded = processor.padToSquare ? { width: square, height: square } : size
  const resized = processor.resize ? resizedSize(padded, processor.resize.size) : padded
  const crop = processor.centerCrop ?? resized
  // Of one axis: the crop in pixels of the padded picture, less the bar before the picture.
  const span = (own: number, full: number, made: number, cut: number) => {
    const bar = Math.floor((full - own) / 2)
    const from = Math.floor((made - cut) / 2)
    const at = (pixel: number) => ((pixel * full) / made - bar) / own
    return [at(from), at(from + cut)] as const
  }
  const [left, right] = span(width, padded.width, resized.width, crop.width)
  const [top, bottom] = span(height, padded.height, resized.height, crop.height)
  return { left, top, right, bottom }
}

/** Where some cells of the square that towers see lie on the picture. */
export function areaRegion(shown: Region, { top, left, rows, columns }: GridArea, side: number): Region {
  const x = (cell: number) => shown.left + ((shown.right - shown.left) * cell) / side
  const y = (cell: number) => shown.top + ((shown.bottom - shown.top) * cell) / side
  return { left: x(left), top: y(top), right: x(left + columns), bottom: y(top + rows) }
}

/**
 * Which cell each of a picture's rows in the prompt stands for.
 *
 * Throws: ConfigError when the rows are no map of the picture.
 */
export function rowLayout(
  connector: PictureConnector,
  towers: readonly TowerBlueprint[],
  size: PictureSize,
): RowLayout {
  const own = connector.layout?.(size)
  if (own) return own
  const [only, ...others] = towers
  const { patchTokens, hasClsToken, maps } = only!.tower.config
  const cells = only!.tokens ?? (maps?.[0] ? maps[0].side ** 2 : patchTokens)
  const side = Math.round(Math.sqrt(cells))
  if (others.length || side * side !== cells) {
    throw new ConfigError(
      `look: expected a picture's rows to be a square map, got ${cells} patches and ${towers.length} towers. ` +
        'Where this model looks cannot be drawn; its answers do not suffer from that.',
    )
  }
  // Where the select strategy cuts the first row of a tower without a class token, the first patch has none.
  const first = cells === patchTokens && !maps ? Number(hasClsToken) - Number(only!.dropsFirstRow) : 0
  return { side, area: { top: 0, left: 0, rows: side, columns: side }, first, stride: side }
}

/**
 * Values of the prompt's rows as values of cells; cells without a row get 0.
 *
 * Shapes: rows [n] -> [area.rows, area.columns].
 */
export function cellsOf(rows: ArrayLike<number>, layout: RowLayout): Float32Array<ArrayBuffer> {
  const { area, first, stride } = layout
  return Float32Array.from(
    { length: area.rows * area.columns },
    (_, cell) => rows[first + Math.floor(cell / area.columns) * stride + (cell % area.columns)] ?? 0,
  )
}
