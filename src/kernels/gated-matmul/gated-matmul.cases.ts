/** Sizes straddle the chunks and lanes of a walk over K, and the rows of a workgroup. */
export const gatedMatmulCases = [
  { F: 1, K: 32 },
  { F: 17, K: 64 },
  { F: 97, K: 896 },
  { F: 4099, K: 32 },
]
