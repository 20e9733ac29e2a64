export interface AttentionWeightsCase {
  readonly length: number
  readonly capacity: number
  readonly H: number
  readonly KV: number
  readonly D: number
  readonly range: { readonly start: number; readonly count: number }
  readonly scale?: number
}

/** Lengths straddle 4 keys and 256; ranges start and end inside, at the first position and at the last. */
export const attentionWeightsCases: readonly AttentionWeightsCase[] = [
  { length: 1, capacity: 4, H: 1, KV: 1, D: 4, range: { start: 0, count: 1 } },
  { length: 5, capacity: 16, H: 4, KV: 4, D: 18, range: { start: 3, count: 2 } },
  { length: 63, capacity: 64, H: 6, KV: 2, D: 24, range: { start: 0, count: 63 } },
  { length: 257, capacity: 260, H: 3, KV: 1, D: 16, range: { start: 100, count: 70 }, scale: 1 },
  { length: 300, capacity: 2048, H: 16, KV: 2, D: 64, range: { start: 35, count: 144 } },
]
