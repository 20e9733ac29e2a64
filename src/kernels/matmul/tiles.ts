import type { Capabilities } from '../gpu/device'

type TileLimits = Pick<Capabilities, 'maxDispatchFlops' | 'maxWorkgroupsPerDimension'>

/**
 * Cuts the grid of an [M, N] product into dispatches of at most `maxDispatchFlops`, whole tiles each (one tile at least).
 *
 * Returns: for each dispatch its first row and column, its tiles each way, and its multiply-adds times two.
 */
export function* tiles(
  M: number,
  N: number,
  [tileM, tileN]: readonly [number, number],
  depth: number,
  { maxDispatchFlops, maxWorkgroupsPerDimension: widest }: TileLimits,
) {
  const tileFlops = 2 * tileM * tileN * depth
  const most = Math.max(1, Math.floor(maxDispatchFlops / tileFlops))
  const allM = Math.ceil(M / tileM)
  const allN = Math.ceil(N / tileN)
  const nStep = Math.min(allN, most, widest)
  const mStep = Math.min(allM, widest, Math.max(1, Math.floor(most / nStep)))
  for (let m = 0; m < allM; m += mStep) {
    for (let n = 0; n < allN; n += nStep) {
      const mTiles = Math.min(mStep, allM - m)
      const nTiles = Math.min(nStep, allN - n)
      yield { m: m * tileM, n: n * tileN, mTiles, nTiles, flops: mTiles * nTiles * tileFlops }
    }
  }
}
