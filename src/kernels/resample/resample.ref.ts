import type { GridSize, ResampleOptions } from './resample'

type Grids = Pick<ResampleOptions, 'batch' | 'from' | 'to' | 'step'>

/** Oracle in float64: inputs and their shares of one output along an axis of n inputs. */
function taps(o: number, step: number, n: number, mode: 'bilinear' | 'bicubic'): [number, number][] {
  const edge = (i: number) => Math.min(Math.max(i, 0), n - 1)
  const centre = (o + 0.5) * step - 0.5
  if (mode === 'bilinear') {
    const source = Math.max(centre, 0)
    const low = Math.floor(source)
    return [
      [edge(low), 1 - (source - low)],
      [edge(low + 1), source - low],
    ]
  }
  const low = Math.min(Math.floor(centre), n - 1)
  const f = Math.min(centre - low, 1)
  return [-1, 0, 1, 2].map((k) => [edge(low + k), cubic(Math.abs(f - k))])
}

/** Keys' cubic convolution kernel, a = -3/4, for a distance of at most 2. */
function cubic(d: number): number {
  const a = -0.75
  return d <= 1 ? (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1 : a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a
}

/** Calls `each` with every (output row, input row, share) of two grids. */
function forShares(
  { batch = 1, from, to, step }: Grids,
  mode: 'bilinear' | 'bicubic',
  each: (output: number, input: number, share: number) => void,
): void {
  const at = (grid: GridSize, b: number, i: number, j: number) => (b * grid.height + i) * grid.width + j
  const { y, x } = step ?? { y: from.height / to.height, x: from.width / to.width }
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < to.height; i++) {
      for (let j = 0; j < to.width; j++) {
        for (const [row, down] of taps(i, y, from.height, mode)) {
          for (const [column, across] of taps(j, x, from.width, mode)) {
            each(at(to, b, i, j), at(from, b, row, column), down * across)
          }
        }
      }
    }
  }
}

export function resampleRowsRef(
  x: ArrayLike<number>,
  C: number,
  grids: Grids,
  mode: 'bilinear' | 'bicubic',
): Float64Array {
  const y = new Float64Array((grids.batch ?? 1) * grids.to.height * grids.to.width * C)
  forShares(grids, mode, (output, input, share) => {
    for (let c = 0; c < C; c++) y[output * C + c]! += share * x[input * C + c]!
  })
  return y
}

/** Oracle of the bilinear gradient. */
export function resampleRowsBackwardRef(dy: ArrayLike<number>, C: number, grids: Grids): Float64Array {
  const dx = new Float64Array((grids.batch ?? 1) * grids.from.height * grids.from.width * C)
  forShares(grids, 'bilinear', (output, input, share) => {
    for (let c = 0; c < C; c++) dx[input * C + c]! += share * dy[output * C + c]!
  })
  return dx
}
