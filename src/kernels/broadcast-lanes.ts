import type { Capabilities } from './gpu/device'

/**
 * Lanes of a subgroup where a form spreads what it loads over one: on CPU adapters, whose lanes each fetch for themselves
 * even where all read one address. Undefined on GPUs, and without subgroups of one known size.
 */
export function broadcastLanes({
  isSoftware,
  subgroups,
}: Pick<Capabilities, 'isSoftware' | 'subgroups'>): 4 | 8 | undefined {
  if (!isSoftware || subgroups?.min !== subgroups?.max) return undefined
  return subgroups?.min === 4 || subgroups?.min === 8 ? subgroups.min : undefined
}
