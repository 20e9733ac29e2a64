/** Sizes straddle the 256 lanes of a workgroup; the last one folds the grid past 65,535 rows. */
export const rmsNormCases = [
  { rows: 1, C: 1 },
  { rows: 3, C: 255 },
  { rows: 3, C: 256 },
  { rows: 3, C: 257 },
  { rows: 5, C: 4099 },
  { rows: 65_537, C: 2 },
]
