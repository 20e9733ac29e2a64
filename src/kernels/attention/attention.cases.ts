/** Causal cases: T new tokens after `position` cached ones. Sizes straddle 8 keys, 32 and 64 rows. */
export const attentionCases = [
  { T: 1, position: 0, H: 1, KV: 1, D: 16 },
  { T: 1, position: 6, H: 4, KV: 4, D: 24 },
  { T: 7, position: 0, H: 2, KV: 2, D: 32 },
  { T: 31, position: 2, H: 4, KV: 1, D: 64 },
  { T: 32, position: 0, H: 3, KV: 3, D: 72 },
  { T: 33, position: 95, H: 2, KV: 2, D: 80 },
  { T: 5, position: 123, H: 14, KV: 2, D: 64 },
  { T: 63, position: 1, H: 8, KV: 1, D: 96 },
  { T: 65, position: 0, H: 2, KV: 1, D: 104 },
  { T: 67, position: 61, H: 4, KV: 2, D: 128 },
  { T: 19, position: 14, H: 2, KV: 1, D: 256 },
  { T: 9, position: 4, H: 2, KV: 1, D: 18 },
  { T: 131, position: 0, H: 4, KV: 2, D: 16 },
  { T: 40, position: 30, H: 4, KV: 2, D: 16, window: 24 },
  { T: 3, position: 100, H: 4, KV: 2, D: 16, window: 1 },
]

/** One token over a long cache: key counts straddle the ranges it is split into. */
export const decodeCases = [
  { T: 1, position: 62, H: 14, KV: 2, D: 64 },
  { T: 1, position: 63, H: 14, KV: 2, D: 64 },
  { T: 1, position: 64, H: 14, KV: 2, D: 64 },
  { T: 1, position: 255, H: 16, KV: 16, D: 24 },
  { T: 1, position: 256, H: 8, KV: 1, D: 256 },
  { T: 1, position: 257, H: 32, KV: 8, D: 128 },
  { T: 2, position: 700, H: 4, KV: 2, D: 80 },
  { T: 3, position: 1020, H: 8, KV: 2, D: 96, window: 300 },
  { T: 1, position: 4096, H: 14, KV: 2, D: 64 },
  { T: 1, position: 4096, H: 4, KV: 4, D: 104 },
]

/** Full cases: B pictures of T rows and S keys. */
export const attentionFullCases = [
  { B: 1, T: 1, S: 1, H: 1, KV: 1, D: 16 },
  { B: 3, T: 33, S: 33, H: 2, KV: 2, D: 64 },
  { B: 3, T: 31, S: 31, H: 2, KV: 2, D: 72 },
  { B: 2, T: 65, S: 65, H: 3, KV: 3, D: 24 },
  { B: 1, T: 257, S: 257, H: 2, KV: 2, D: 104 },
  { B: 1, T: 64, S: 131, H: 4, KV: 2, D: 32 },
  { B: 2, T: 5, S: 70, H: 2, KV: 2, D: 30 },
  { B: 2, T: 37, S: 37, H: 2, KV: 2, D: 88, validKeys: 21 },
]

/** Causal training cases: sizes straddle 4 and 32 tokens; `window` is a sliding one. */
export const attentionBackwardCases = [
  { T: 1, H: 1, KV: 1, D: 16 },
  { T: 31, H: 4, KV: 1, D: 24 },
  { T: 32, H: 2, KV: 2, D: 32 },
  { T: 33, H: 6, KV: 2, D: 64 },
  { T: 67, H: 2, KV: 1, D: 40 },
  { T: 35, H: 2, KV: 2, D: 18 },
  { T: 70, H: 4, KV: 2, D: 32, window: 9 },
]
