import type { Gpu } from '../gpu/device'

/**
 * Records with a device that seems to allow only `limit` workgroups a dimension, so that small tensors fold the grid.
 *
 * A flat kernel really folds past 65,535 workgroups of 256 vec4: 268 MB a tensor.
 */
export function withGridLimit<T>(gpu: Gpu, limit: number, record: () => T): T {
  const caps = gpu.caps as { maxWorkgroupsPerDimension: number }
  const real = caps.maxWorkgroupsPerDimension
  caps.maxWorkgroupsPerDimension = limit
  try {
    return record()
  } finally {
    caps.maxWorkgroupsPerDimension = real
  }
}
