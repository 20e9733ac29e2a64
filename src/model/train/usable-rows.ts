import { DatasetError } from '../errors'
import type { Dataset, Recipe, Scan, SkippedRow } from './definition'

/** Rows that can be trained on, and the others; both in the order of the rows. */
export type UsableRows = Pick<Scan, 'usable' | 'skipped'>

/**
 * Rows of a scan that a recipe has a use for: the plain template is a picture and its caption, so that rows of text alone
 * take no part in it.
 */
export function usableFor(
  { usable, textOnly = [], skipped }: Scan,
  { template }: Pick<Recipe, 'template'>,
): UsableRows {
  if (template !== 'plain' || textOnly.length === 0) return { usable, skipped }
  const unused = new Set(textOnly.map(({ row }) => row))
  const others = textOnly.map(({ row, id }): SkippedRow => ({
    row,
    id,
    image: undefined,
    reason: NO_PICTURE,
  }))
  return {
    usable: usable.filter((row) => !unused.has(row)),
    skipped: [...skipped, ...others].sort((a, b) => a.row - b.row),
  }
}

const NO_PICTURE = 'has no picture, and the plain template is nothing but a picture and its caption'

/** Throws: DatasetError where no row is left, with the first reason. */
export function expectUsable(
  { name, length }: Pick<Dataset, 'name' | 'length'>,
  { usable, skipped }: UsableRows,
): void {
  if (usable.length > 0) return
  const [first] = skipped
  const why = first ? `; the first, row ${first.row}: ${first.reason}` : ''
  throw new DatasetError(
    `dataset: none of the ${length} rows of ${name} can be used${why}. Check the rows, and the folder in which their ` +
      'pictures are looked for (on the command line: --images)',
  )
}
