import {
  addInto,
  columnSums,
  gatherRows,
  splice,
  spliceBackward,
  type Encoder,
  type GridArea,
  type Tensor,
} from '../../kernels'
import type { RowLayout } from './definition'

/** Rows that a grid's cells take with a newline behind each of the grid's rows. */
export const rowsWithNewlines = ({ rows, columns }: GridArea) => rows * (columns + 1)

/** Places of the cells and of the newlines among such rows. */
function places({ rows, columns }: GridArea) {
  const cells = Uint32Array.from({ length: rows * columns }, (_, i) => i + Math.floor(i / columns))
  const newlines = Uint32Array.from({ length: rows }, (_, y) => y * (columns + 1) + columns)
  return { cells, newlines }
}

/**
 * The rows a picture takes in the prompt: its cells row by row, `image_newline` behind each row.
 *
 * Shapes: cells [h * w, D], newline [D] -> [h * (w + 1), D].
 * Source: LLaVA 1.6 and Cambrian-1, prepare_inputs_labels_for_multimodal.
 */
export function addNewlines(enc: Encoder, cells: Tensor, newline: Tensor, area: GridArea): Tensor {
  const D = newline.shape[0]!
  return enc.scope(() => {
    const at = places(area)
    const atCells = enc.constant(at.cells)
    const atNewlines = enc.constant(at.newlines)
    const first = enc.constant(new Uint32Array(area.rows))
    const rows = enc.temp([rowsWithNewlines(area), D], 'f32', 'picture rows')
    splice(enc, rows, cells, atCells)
    splice(enc, rows, gatherRows(enc, { ...newline, shape: [1, D] }, first), atNewlines)
    return rows
  })
}

/**
 * dLoss/dcells; dLoss/dnewline is added to `newlineSum` where anybody asks for it.
 *
 * Shapes: dRows [h * (w + 1), D], newlineSum [D] -> [h * w, D].
 */
export function addNewlinesBackward(
  enc: Encoder,
  dRows: Tensor,
  area: GridArea,
  newlineSum: Tensor | undefined,
): Tensor {
  return enc.scope(() => {
    const at = places(area)
    if (newlineSum) {
      const dNewlines = spliceBackward(enc, dRows, enc.constant(at.newlines))
      addInto(enc, newlineSum, columnSums(enc, dNewlines))
    }
    return spliceBackward(enc, dRows, enc.constant(at.cells))
  })
}

/** What such rows stand for. */
export const gridLayout = (area: GridArea, side: number): RowLayout => ({
  side,
  area,
  first: 0,
  stride: area.columns + 1,
})
