import type { LookImage } from '../../worker/api'
import { formatPercent } from '../text/format'
import { en, type Messages } from '../text/messages/en'
import type { Grid } from './heat'

type Wording = Pick<Messages, 'locale' | 'look'>

const DOWN = ['top', 'middle', 'bottom'] as const
const ACROSS = ['left', 'centre', 'right'] as const

/** The cell with the largest value. */
export function brightest({ columns, values }: Grid): { row: number; column: number; value: number } {
  let at = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[at]!) at = i
  return { row: Math.floor(at / columns), column: at % columns, value: values[at] ?? 0 }
}

/** A cell's place on the picture in words: `at the top left`, `in the centre`. */
export function placeOf(
  { rows, columns, region }: Pick<LookImage, 'rows' | 'columns' | 'region'>,
  row: number,
  column: number,
  { look }: Wording = en,
): string {
  const third = (from: number, to: number, cell: number, cells: number) =>
    Math.min(2, Math.max(0, Math.floor((from + ((to - from) * (cell + 0.5)) / cells) * 3))) as 0 | 1 | 2
  const down = DOWN[third(region.top, region.bottom, row, rows)]
  const across = ACROSS[third(region.left, region.right, column, columns)]
  return look.places[down][across]
}

/** `23%`, `0.4%`, `0.03%`, `0%`. */
export function percent(share: number, wording: Pick<Wording, 'locale'> = en): string {
  const value = share * 100
  const decimals = value >= 9.95 || value < 0.005 ? 0 : value >= 0.095 ? 1 : 2
  return formatPercent(share, wording, decimals)
}

/** True where part of the picture lies outside the grid: it was cut off before the model saw it. */
export function isCut({ region: { left, top, right, bottom } }: Pick<LookImage, 'region'>): boolean {
  return Math.max(left, top, 1 - right, 1 - bottom) > 0.005
}

/** A cell's shares in words: `Row 2, column 5: siglip 61%, dinov2 39%`. */
export function cellInWords(
  { columns, values }: LookImage,
  towers: readonly string[],
  cell: number,
  wording: Wording = en,
): string {
  const shares = towers.map(
    (name, tower) => `${name} ${percent(values[cell * towers.length + tower]!, wording)}`,
  )
  return wording.look.cell(Math.floor(cell / columns) + 1, (cell % columns) + 1, shares.join(', '))
}

/** Each tower's share of the whole picture. */
export function meanShares({ rows, columns, values, towers = [] }: LookImage): number[] {
  const sums = towers.map(() => 0)
  for (let i = 0; i < values.length; i++) sums[i % towers.length]! += values[i]!
  return sums.map((sum) => sum / (rows * columns))
}
