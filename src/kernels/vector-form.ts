import type { Capabilities } from './gpu/device'
import type { WeightDtype } from './weight'

/** Lanes of a workgroup of the kernels that multiply one row by a weight. */
export const VECTOR_WG = 64

/** Elements a 16-byte load of a weight brings. */
export const CHUNK: Readonly<Record<WeightDtype, number>> = { f32: 4, f16: 8, bf16: 8, q8: 16, q4: 32 }

/** How the lanes that share weight rows add up: by exchanges in a subgroup, or in workgroup memory. */
export type Meeting = 'subgroup' | 'workgroup'

/**
 * Lanes that walk some weight rows together, and how their sums meet.
 *
 * More lanes a row make more workgroups where there are few rows; not measured on a GPU yet. CPU adapters have no use for
 * that.
 */
export function vectorForm(
  caps: Pick<Capabilities, 'isSoftware' | 'subgroups'>,
  rows: number,
): { LANES: number; meeting: Meeting } {
  const LANES = caps.isSoftware ? 8 : rows < 2048 ? 32 : 16
  return { LANES, meeting: caps.subgroups && caps.subgroups.min >= LANES ? 'subgroup' : 'workgroup' }
}

/**
 * Cuts `groups` workgroups into dispatches of at most `maxDispatchFlops`, one workgroup at least.
 *
 * Returns: for each dispatch its first workgroup, its workgroups, and its multiply-adds times two.
 */
export function* groupRuns(
  groups: number,
  groupFlops: number,
  caps: Pick<Capabilities, 'maxDispatchFlops' | 'maxWorkgroupsPerDimension'>,
) {
  const most = Math.min(
    caps.maxWorkgroupsPerDimension,
    Math.max(1, Math.floor(caps.maxDispatchFlops / groupFlops)),
  )
  for (let first = 0; first < groups; first += most) {
    const count = Math.min(most, groups - first)
    yield { first, count, flops: count * groupFlops }
  }
}
