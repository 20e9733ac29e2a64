/** The cells of a square map that lie on the picture, not on the bars beside it: `from` to `to` (excluded) of one axis. */
export interface ValidBand {
  readonly axis: 'rows' | 'columns'
  readonly from: number
  readonly to: number
}

/**
 * Where a picture lies in a map of `side` x `side` cells after it was padded to a square and centred.
 *
 * An odd number of spare cells leaves one padded row or column in the band; a picture thinner than a cell gives an
 * empty one.
 * Units: width and height in pixels, side in cells.
 * Source: `unpad_image` of LLaVA and `rearrange_vision_tower_features_inference` of Cambrian-1, operation by operation:
 * other orders of the same products round to other cells.
 */
export function letterbox(width: number, height: number, side: number): ValidBand {
  if (width / height > 1) {
    const kept = Math.trunc(height * (side / width))
    const bar = Math.floor((side - kept) / 2)
    return { axis: 'rows', from: bar, to: side - bar }
  }
  const kept = Math.trunc(width * (side / height))
  const bar = Math.floor((side - kept) / 2)
  return { axis: 'columns', from: bar, to: side - bar }
}

/** A rectangle of cells in a square map. */
export interface GridArea {
  readonly top: number
  readonly left: number
  readonly rows: number
  readonly columns: number
}

/**
 * The cells that stay when the letterbox's bars are cut off. A picture thinner than a cell keeps its middle cells.
 *
 * Units: width and height in pixels, the rest in cells.
 */
export function unpaddedGrid(width: number, height: number, side: number): GridArea {
  const { axis, from, to } = letterbox(width, height, side)
  const start = Math.min(from, Math.floor((side - 1) / 2))
  const kept = from < to ? to - from : side - 2 * start
  return axis === 'rows'
    ? { top: start, left: 0, rows: kept, columns: side }
    : { top: 0, left: start, rows: side, columns: kept }
}

/** Numbers y * side + x of an area's cells, row by row. */
export function areaCells({ top, left, rows, columns }: GridArea, side: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(
    { length: rows * columns },
    (_, i) => (top + Math.floor(i / columns)) * side + left + (i % columns),
  )
}
