/**
 * Query grids of `side` cells, heads H of D, towers with windows of `reduce` x `reduce` cells each. `picture` is the
 * width and height whose letterbox masks every tower; `unpadded` takes only the cells on the picture as queries.
 */
export interface SvaCase {
  readonly side: number
  readonly H: number
  readonly D: number
  readonly reduce: readonly number[]
  readonly picture?: readonly [width: number, height: number]
  readonly unpadded?: boolean
  readonly scale?: number
}

/** Windows straddle chunks of 4, 8 and 16 keys; the thin pictures leave whole windows, maps and grids masked. */
export const svaCases: readonly SvaCase[] = [
  { side: 1, H: 1, D: 1, reduce: [1] },
  { side: 1, H: 2, D: 3, reduce: [5] },
  { side: 3, H: 4, D: 2, reduce: [1, 2, 3], picture: [160, 84] },
  { side: 5, H: 3, D: 12, reduce: [4, 1, 1, 1, 2, 3], picture: [64, 150], scale: 1.5 },
  { side: 6, H: 16, D: 4, reduce: [1, 1, 1, 4], picture: [160, 84] },
  { side: 6, H: 16, D: 4, reduce: [1, 1, 1, 4], picture: [64, 150], unpadded: true },
  { side: 7, H: 5, D: 20, reduce: [5, 2], picture: [1000, 3] },
  { side: 4, H: 3, D: 33, reduce: [2, 5], picture: [3, 1000], unpadded: true },
  { side: 3, H: 2, D: 64, reduce: [4, 4], picture: [300, 100] },
  { side: 2, H: 1, D: 132, reduce: [3, 1] },
]

/** The shape of Cambrian-1's releases. */
export const svaReleaseCase: SvaCase = {
  side: 24,
  H: 16,
  D: 64,
  reduce: [1, 1, 1, 4],
  picture: [640, 427],
  unpadded: true,
}

/** For the form with several lanes a head: 2 of them and 8, the last three idle; windows of one chunk and of more. */
export const svaLaneCases: readonly SvaCase[] = [
  { side: 3, H: 5, D: 20, reduce: [3], picture: [64, 150], unpadded: true },
  { side: 3, H: 2, D: 2, reduce: [2, 1] },
]
