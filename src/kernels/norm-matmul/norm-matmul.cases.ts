/** Sizes straddle the chunks and lanes of a walk over K, and the rows of a workgroup. */
export const normMatmulCases = [
  { N: 1, K: 32 },
  { N: 33, K: 64 },
  { N: 97, K: 896 },
  { N: 4099, K: 32 },
  { N: 5, K: 4128 },
]
