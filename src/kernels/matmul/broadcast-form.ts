import type { WeightDtype } from '../weight'

/** Of broadcast-rows.wgsl: sums grow by two terms at a time. */
export const PAIRS = { Step: 'vec2f', Columns: 'mat4x2f' } as const

/**
 * Rows of a tile; 32 where the weight is f32, lanes are eight and the last tile is not mostly empty.
 *
 * Measured on lavapipe, two cores (Zen 3) busy otherwise, 320 x 192 x 512, GFLOP/s a CPU second, the best of 12 runs:
 * forward, 32 rows by pairs 14.7 in f32 and 12.3 in f16, 16 rows by fours 12.0 and 14.6; backward, 32 rows by pairs 16.1
 * and 13.9, 16 rows by pairs 14.3 and 15.5, 16 rows by fours 11.7 and 12.7. 64 rows or 8 columns a lane are no faster,
 * and compile for seconds.
 */
export function broadcastTileRows(M: number, lanes: 4 | 8, dtype: WeightDtype): number {
  if (M <= 8) return 8
  const fills = M >= 128 || Math.ceil(M / 16) % 2 === 0
  return lanes === 8 && dtype === 'f32' && fills ? 32 : 16
}
