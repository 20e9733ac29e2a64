import type { Capabilities } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import { productClass, type TileForm } from '../tuning'
import type { WeightDtype } from '../weight'

/** Rows of y that a lane of the tile form computes; a tile has 16 times as many. */
export const TILE_ROWS = { rows2: 2, rows4: 4, rows8: 8 } as const

/** The form of a product of more than 8 rows on a GPU: what was measured to be fastest there, else the usual one. */
export function tileForm(
  { gpu, isExact }: Pick<Encoder, 'gpu' | 'isExact'>,
  M: number,
  N: number,
  dtype: WeightDtype,
): TileForm {
  const tuned = gpu.tuning.products[productClass(M, N, dtype)]
  if (tuned === undefined || (tuned === 'packed' && isExact)) return usualForm(gpu.caps, M, N)
  if (tuned === 'packed') return tuned
  // Measured on whole tiles: one that would be half empty is halved.
  if (tuned === 'rows8' && M > 64) return tuned
  return tuned !== 'rows2' && M > 32 ? 'rows4' : 'rows2'
}

/** The form chosen from capabilities alone. */
export function usualForm(
  { maxWorkgroupBytes }: Pick<Capabilities, 'maxWorkgroupBytes'>,
  M: number,
  N: number,
): TileForm {
  // The widest tile only where workgroups stay plenty and the device has more than the default workgroup memory; not
  // measured on a GPU yet.
  const isWide = maxWorkgroupBytes >= 24 * 1024 && Math.ceil(M / 128) * Math.ceil(N / 64) >= 256
  return isWide ? 'rows8' : M <= 32 ? 'rows2' : 'rows4'
}
