/** Sizes straddle blocks of 32, tiles of 8 rows and 64 lanes. */
export const mlpProjectorCases = [
  { R: 1, Cv: 1, F: 1, C: 1 },
  { R: 7, Cv: 31, F: 33, C: 5 },
  { R: 8, Cv: 32, F: 32, C: 257 },
  { R: 9, Cv: 33, F: 255, C: 256 },
  { R: 65, Cv: 192, F: 192, C: 192 },
  { R: 3, Cv: 30, F: 450, C: 61 },
]
