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
 * Software adapters run lanes one after another and pay for every barrier of every lane. Measured on two x86 cores
 * with layer norm of [729, 1152]: 8 lanes take 2.5 ms on lavapipe and 28 ms on SwiftShader, 256 lanes 21 and 755 ms.
 */
export function rowLanes(
  caps: Pick<Capabilities, 'isSoftware' | 'maxWorkgroupInvocations'>,
  vecs: number,
): number {
  const [least, most] = caps.isSoftware ? [1, 8] : [32, Math.min(256, caps.maxWorkgroupInvocations)]
  let lanes = least
  while (lanes < most && lanes < vecs) lanes *= 2
  return lanes
}
