/** Sizes straddle the lanes of a workgroup in both widths; the last two fold the grid past 65,535 rows. */
export const rmsNormCases = [
  { rows: 1, C: 1 },
  { rows: 3, C: 255 },
  { rows: 3, C: 256 },
  { rows: 3, C: 257 },
  { rows: 5, C: 4099 },
  { rows: 2, C: 1028 },
  { rows: 65_537, C: 2 },
  { rows: 65_537, C: 4 },
]
