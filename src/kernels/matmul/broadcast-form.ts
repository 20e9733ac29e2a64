import type { WeightDtype } from '../weight'

/** Of broadcast-rows.wgsl: sums grow by two terms at a time. */
export const PAIRS = { Step: 'vec2f', Columns: 'mat4x2f' } as const

/**
 * Rows of a tile; 32 where the weight is f32, lanes are eight and the last tile is not mostly empty.
 *
 * Measured on lavapipe, two cores (Zen 3) busy otherwise, 615 x 192 x 512, GFLOP/s a CPU second, the best of many runs: forward,
 * 32 rows by pairs 13.4 in f32, 16 rows of loads by fours added by pairs 16.4 in f16, 16 rows by fours 11.4 and 14.2; backward,
 * 32 rows by pairs 14.6 and 13.7, 16 rows by pairs 13.1 and 15.9, 16 rows by fours 11.2 and 12.7. 64 rows or 8 columns a
 * lane are no faster, and compile for seconds.
 */
export function broadcastTileRows(M: number, lanes: 4 | 8, dtype: WeightDtype): number {
  if (M <= 8) return 8
  const fills = M >= 128 || Math.ceil(M / 16) % 2 === 0
  return lanes === 8 && dtype === 'f32' && fills ? 32 : 16
}
