import type { ValidBand } from './letterbox'

type Numbers = ArrayLike<number>

export interface SvaRefTower {
  readonly k: Numbers
  readonly v: Numbers
  readonly side: number
  readonly valid?: ValidBand | undefined
}

export interface SvaRefOptions {
  readonly heads: number
  readonly side: number
  readonly cells?: Numbers | undefined
  readonly scale?: number | undefined
}

/** Rows of a tower's map that a query cell sees, by building the whole mask. */
export function seenKeys({ side: S, valid }: SvaRefTower, side: number, cell: number): number[] {
  const mask = Array.from({ length: S * S }, (_, i) => {
    if (!valid) return true
    const place = valid.axis === 'rows' ? Math.floor(i / S) : i % S
    return place >= valid.from && place < valid.to
  })
  const r = S / side
  const window: number[] = []
  for (let y = 0; y < r; y++) {
    for (let x = 0; x < r; x++) window.push((Math.floor(cell / side) * r + y) * S + (cell % side) * r + x)
  }
  return window.some((row) => mask[row]) ? window.filter((row) => mask[row]) : window
}

interface Seen {
  readonly tower: number
  /** First element of the key and the value in their arrays. */
  readonly at: number
}

/** Calls `visit` with each (query, head) pair, the first element of its query, and every key it sees. */
function forPairs(
  rowLength: number,
  rows: number,
  towers: readonly SvaRefTower[],
  { heads, side, cells }: SvaRefOptions,
  visit: (pair: number, at: number, seen: Seen[]) => void,
) {
  const D = rowLength / heads
  for (let n = 0; n < rows; n++) {
    const rowsSeen = towers.map((tower) => seenKeys(tower, side, cells ? cells[n]! : n))
    for (let h = 0; h < heads; h++) {
      const seen = rowsSeen.flatMap((list, tower) =>
        list.map((row) => ({ tower, at: row * rowLength + h * D })),
      )
      visit(n * heads + h, n * rowLength + h * D, seen)
    }
  }
}

const dot = (a: Numbers, aAt: number, b: Numbers, bAt: number, D: number) => {
  let sum = 0
  for (let d = 0; d < D; d++) sum += a[aAt + d]! * b[bAt + d]!
  return sum
}

/** Oracle in float64. Slow and obvious on purpose. `shares` [N, towers] is averaged over heads. */
export function svaAttentionRef(q: Numbers, towers: readonly SvaRefTower[], options: SvaRefOptions) {
  const { heads, side } = options
  const rows = options.cells?.length ?? side * side
  const rowLength = q.length / rows
  const D = rowLength / heads
  const scale = options.scale ?? 1 / Math.sqrt(D)
  const y = new Float64Array(q.length)
  const lse = new Float64Array(rows * heads)
  const shares = new Float64Array(rows * towers.length)
  forPairs(rowLength, rows, towers, options, (pair, qAt, seen) => {
    const scores = seen.map(({ tower, at }) => scale * dot(q, qAt, towers[tower]!.k, at, D))
    const top = Math.max(...scores)
    const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0)
    lse[pair] = top + Math.log(total)
    seen.forEach(({ tower, at }, j) => {
      const p = Math.exp(scores[j]! - top) / total
      for (let d = 0; d < D; d++) y[qAt + d]! += p * towers[tower]!.v[at + d]!
      shares[Math.floor(pair / heads) * towers.length + tower]! += p / heads
    })
  })
  return { y, lse, shares }
}

export function svaAttentionBackwardRef(
  dy: Numbers,
  q: Numbers,
  towers: readonly SvaRefTower[],
  options: SvaRefOptions,
) {
  const { heads, side } = options
  const rows = options.cells?.length ?? side * side
  const rowLength = q.length / rows
  const D = rowLength / heads
  const scale = options.scale ?? 1 / Math.sqrt(D)
  const { y, lse } = svaAttentionRef(q, towers, options)
  const dq = new Float64Array(q.length)
  const dk = towers.map(({ k }) => new Float64Array(k.length))
  const dv = towers.map(({ v }) => new Float64Array(v.length))
  forPairs(rowLength, rows, towers, options, (pair, qAt, seen) => {
    const delta = dot(dy, qAt, y, qAt, D)
    for (const { tower, at } of seen) {
      const { k, v } = towers[tower]!
      const p = Math.exp(scale * dot(q, qAt, k, at, D) - lse[pair]!)
      const ds = p * (dot(dy, qAt, v, at, D) - delta)
      for (let d = 0; d < D; d++) {
        dq[qAt + d]! += ds * scale * k[at + d]!
        dk[tower]![at + d]! += ds * scale * q[qAt + d]!
        dv[tower]![at + d]! += p * dy[qAt + d]!
      }
    }
  })
  return { dq, dk, dv }
}
