/** Of broadcast-rows.wgsl: sums grow by two terms at a time. */
export const PAIRS = { Step: 'vec2f', Columns: 'mat4x2f' } as const

/**
 * Rows of a tile that pairs fill: as many as 4 a lane where the last tile then is not mostly empty.
 *
 * Measured on lavapipe, two cores (Zen 3) busy otherwise, 320 x 192 x 512, GFLOP/s a CPU second: 32 rows 14.4 (f32) and 16.5
 * (f16), 16 rows by fours 12.7 and 14.6. 64 rows or 8 columns a lane are no faster, and compile for seconds.
 */
export function pairRows(M: number, lanes: 4 | 8): number {
  if (lanes === 4) return M <= 8 ? 8 : 16
  if (M <= 8) return 8
  return M >= 128 || Math.ceil(M / 16) % 2 === 0 ? 32 : 16
}
