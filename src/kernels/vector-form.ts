import { broadcastLanes } from './broadcast-lanes'
import type { Capabilities } from './gpu/device'
import { isQuantised, type WeightDtype } from './weight'
import reduceLanes from './wgsl/reduce-lanes.wgsl?raw'
import reduceSubgroup from './wgsl/reduce-lanes-subgroup.wgsl?raw'
import walkLanes from './wgsl/walk-lanes.wgsl?raw'
import walkRows from './wgsl/walk-rows.wgsl?raw'

/** Elements a 16-byte load of a weight brings. */
export const CHUNK: Readonly<Record<WeightDtype, number>> = { f32: 4, f16: 8, bf16: 8, q8: 16, q4: 32 }

/**
 * How lanes share a product of one row with a weight: WGSL to include. Lanes that walk the same weight rows add up by
 * exchanges in a subgroup or in workgroup memory; on CPU adapters with subgroups each walks rows of its own.
 */
const SHARINGS = {
  subgroup: [walkLanes, reduceSubgroup],
  workgroup: [walkLanes, reduceLanes],
  rows: [walkRows],
} as const
export type Sharing = keyof typeof SHARINGS

/** A kernel for each way. */
export const bySharing = <K>(
  kernelOf: (includes: readonly string[], sharing: Sharing) => K,
): Record<Sharing, K> => ({
  subgroup: kernelOf(SHARINGS.subgroup, 'subgroup'),
  workgroup: kernelOf(SHARINGS.workgroup, 'workgroup'),
  rows: kernelOf(SHARINGS.rows, 'rows'),
})

export interface VectorForm {
  readonly sharing: Sharing
  /** Of the include files. */
  readonly constants: { readonly LANES: number; readonly WG?: number }
  /** Weight rows of a workgroup whose lanes walk `rowsAtOnce` together. */
  readonly groupRows: number
}

/**
 * The way for `rows` rows of a weight, of which a lane walks `rowsAtOnce` together.
 *
 * Rows of their own pay where lanes spend their time on the row that is multiplied: for 896 x 4864 on lavapipe (x86, two
 * cores) q4 takes 3.6 ms of CPU either way without a norm and a step of Qwen2 in q4 two thirds of the time, but f16 takes
 * 10 ms instead of 5, as each lane then reads memory elsewhere. SwiftShader's four lanes gain with every dtype: f16 takes
 * 75 ms instead of 120, f32 in a small decoder half the time.
 */
export function vectorForm(
  caps: Pick<Capabilities, 'isSoftware' | 'subgroups'>,
  dtype: WeightDtype,
  rows: number,
  rowsAtOnce: number,
): VectorForm {
  const subgroup = broadcastLanes(caps)
  if (subgroup !== undefined && (isQuantised(dtype) || subgroup === 4)) {
    return { sharing: 'rows', constants: { LANES: subgroup }, groupRows: subgroup * rowsAtOnce }
  }
  // More lanes a row make more workgroups where there are few rows; not measured on a GPU yet. CPU adapters have no use
  // for that.
  const LANES = caps.isSoftware ? 8 : rows < 2048 ? 32 : 16
  const sharing = caps.subgroups && caps.subgroups.min >= LANES ? 'subgroup' : 'workgroup'
  const WG = 64
  return { sharing, constants: { LANES, WG }, groupRows: (WG / LANES) * rowsAtOnce }
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
