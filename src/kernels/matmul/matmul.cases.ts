/** Sizes straddle tiles (16 to 128 by 64), the 32-wide padding of K, the 8 rows of the vector form, and 65,535 rows. */
export const matmulCases = [
  { M: 1, N: 1, K: 1 },
  { M: 1, N: 4099, K: 33 },
  { M: 1, N: 97, K: 4099 },
  { M: 2, N: 33, K: 896 },
  { M: 3, N: 65, K: 588 },
  { M: 7, N: 31, K: 257 },
  { M: 8, N: 64, K: 64 },
  { M: 9, N: 63, K: 31 },
  { M: 33, N: 67, K: 588 },
  { M: 64, N: 64, K: 96 },
  { M: 65, N: 129, K: 100 },
  { M: 131, N: 17, K: 223 },
  { M: 12, N: 4099, K: 32 },
  { M: 65_537, N: 3, K: 5 },
]

/** Products that have a form of their own on GPUs: 2 to 8 rows, tiles of 32, 64 and 128 rows. */
export const hardwareCases = [
  { M: 1, N: 70, K: 897 },
  { M: 1, N: 2100, K: 64 },
  { M: 2, N: 33, K: 896 },
  { M: 3, N: 65, K: 588 },
  { M: 8, N: 31, K: 257 },
  { M: 9, N: 63, K: 31 },
  { M: 65, N: 129, K: 588 },
  { M: 1030, N: 1870, K: 33 },
]

/** Weight gradients: sums over M that are short, long, and longer than a grid is wide. */
export const gradientCases = [
  { M: 1, N: 1, K: 1 },
  { M: 7, N: 9, K: 63 },
  { M: 65, N: 97, K: 588 },
  { M: 130, N: 67, K: 4099 },
  { M: 257, N: 1031, K: 33 },
  { M: 65_537, N: 3, K: 5 },
]

/** Products in 8-bit dot products: tiles of 32 and 64 rows, full and not, over weights in one part and in several. */
export const packedCases = [
  { M: 9, N: 63, K: 31 },
  { M: 32, N: 130, K: 588 },
  { M: 64, N: 64, K: 96 },
  { M: 131, N: 70, K: 223 },
]
