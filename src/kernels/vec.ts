import type { Capabilities } from './gpu/device'

/** Lanes of a workgroup of the element-wise kernels, where each lane handles one Vec. */
export const FLAT_WG = 256

/** Widths of wgsl/vec.wgsl for an axis of `length` elements. */
export function vecOf(length: number) {
  return length % 4 === 0
    ? ({ width: 4, values: { Vec: 'vec4f', WIDTH: 4 } } as const)
    : ({ width: 1, values: {} } as const)
}

/**
 * Lanes of a workgroup that reduces a row of `vecs` loads: a power of two, at most 256.
 *
 * Software adapters run lanes one after another and pay for every barrier of every lane, so few lanes with long loops
 * win there.
 */
export function rowLanes(
  caps: Pick<Capabilities, 'isSoftware' | 'maxWorkgroupInvocations'>,
  vecs: number,
): number {
  const most = caps.isSoftware ? 32 : Math.min(256, caps.maxWorkgroupInvocations)
  let lanes = Math.min(32, most)
  while (lanes < most && lanes < vecs) lanes *= 2
  return lanes
}
