import type { WeightDtype } from '../weight'
import type { RawDtype } from './pack'

/** Odd K makes 16-bit rows start at odd halves; K off a multiple of 32 leaves padding; skip shifts the first element. */
export const packCases = [
  { rows: 1, K: 1, skip: 0 },
  { rows: 5, K: 31, skip: 1 },
  { rows: 7, K: 32, skip: 0 },
  { rows: 7, K: 64, skip: 3 },
  { rows: 4, K: 33, skip: 2 },
  { rows: 130, K: 588, skip: 0 },
  { rows: 3, K: 4099, skip: 5 },
  { rows: 70_001, K: 3, skip: 1 },
]

export const conversions: readonly { from: RawDtype; to: WeightDtype }[] = [
  ...(['f32', 'f16', 'q8', 'q4'] as const).flatMap((to) =>
    (['f32', 'f16', 'bf16'] as const).map((from) => ({ from, to })),
  ),
  { from: 'bf16', to: 'bf16' },
]
