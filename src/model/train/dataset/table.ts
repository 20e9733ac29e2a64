import Papa from 'papaparse'
import { DatasetError } from '../../errors'
import { captionRow, CAPTION_NAMES, IMAGE_NAMES, type ParsedRow } from './row'
import { RowIndex } from './row-index'
import { TableScanner } from './scanners'

/** How a table is read: what separates its cells and which of them matter. */
export interface TableLayout {
  readonly delimiter: string
  /** The first row names the columns. */
  readonly header: boolean
  readonly image: number
  readonly caption: number
  readonly id: number | undefined
}

/**
 * Finds the columns of a table by its first row, trying the usual separators; without names there, pictures come
 * first and captions second.
 *
 * `head` is the beginning of the file. Throws: DatasetError where a header names pictures but no captions.
 */
export function tableLayout(head: Uint8Array, name: string): TableLayout {
  const usual = name.toLowerCase().endsWith('.tsv') ? '\t' : ','
  let half: readonly string[] | undefined
  for (const delimiter of new Set([usual, ',', ';', '\t'])) {
    const cells = firstRow(head, delimiter)?.map((cell) => cell.trim().toLowerCase()) ?? []
    const image = column(cells, IMAGE_NAMES)
    const caption = column(cells, CAPTION_NAMES)
    if (image !== undefined && caption !== undefined) {
      return { delimiter, header: true, image, caption, id: column(cells, ['id']) }
    }
    if (image !== undefined) half = cells
  }
  if (half !== undefined) {
    throw new DatasetError(
      `dataset: ${name} has the columns ${half.join(', ')}; expected one of captions besides, ` +
        `named ${CAPTION_NAMES.join(', ')}`,
    )
  }
  return { delimiter: usual, header: false, image: 0, caption: 1, id: undefined }
}

/** Reads one row of a table; `row` is the id of one that has none. */
export function parseTableRow(text: string, row: number, layout: TableLayout): ParsedRow {
  let { cells, problem } = cellsOf(text, layout.delimiter)
  // Tables with tabs are often written without quoting, where a quote is a character as any other.
  if (problem !== undefined && layout.delimiter === '\t' && !/[\r\n]/.test(text)) {
    cells = text.split('\t')
    problem = undefined
  }
  const id = (layout.id === undefined ? undefined : cells[layout.id]) || String(row)
  const image = cells[layout.image]
  if (problem !== undefined) return { id, image: undefined, problem }
  const caption = cells[layout.caption]
  if (caption === undefined) {
    const needed = Math.max(layout.image, layout.caption) + 1
    return { id, image, problem: `has ${cells.length} of the ${needed} columns that are needed` }
  }
  return captionRow(id, image, caption)
}

function cellsOf(text: string, delimiter: string): { cells: string[]; problem: string | undefined } {
  // The text is one row: a line's end within it stands in quotes.
  const { data, errors } = Papa.parse<string[]>(text, { delimiter, newline: '\n' })
  const cells = data[0] ?? []
  if (errors.length > 0 || data.length > 1) {
    return { cells, problem: 'has a cell that begins with a quote which is not closed at its end' }
  }
  return { cells, problem: undefined }
}

function firstRow(head: Uint8Array, delimiter: string): string[] | undefined {
  const rows = new RowIndex()
  const scanner = new TableScanner(delimiter.charCodeAt(0))
  scanner.push(head, 0, rows)
  scanner.finish(head.length, rows)
  if (rows.length === 0) return undefined
  const text = new TextDecoder().decode(head.subarray(rows.start(0), rows.end(0)))
  return cellsOf(text, delimiter).cells
}

function column(cells: readonly string[], names: readonly string[]): number | undefined {
  for (const name of names) {
    const index = cells.indexOf(name)
    if (index >= 0) return index
  }
  return undefined
}
