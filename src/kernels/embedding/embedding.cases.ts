import type { WeightDtype } from '../weight'

export const tableDtypes: readonly WeightDtype[] = ['f32', 'f16', 'bf16', 'q8', 'q4']

/** Widths off and on the block of 32; `splits` are the first rows of further parts; ids V and V + 1 are not there. */
export const embeddingCases = [
  { V: 1, C: 1, splits: [], count: 3 },
  { V: 10, C: 31, splits: [], count: 7 },
  { V: 10, C: 32, splits: [4, 9], count: 40 },
  { V: 70, C: 100, splits: [64], count: 130 },
  { V: 5, C: 4099, splits: [2], count: 4 },
]
