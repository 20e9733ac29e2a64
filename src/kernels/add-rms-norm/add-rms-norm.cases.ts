/** Sizes straddle the lanes of a workgroup in both widths; the last two fold the grid past 65,535 rows. */
export const addRmsNormCases = [
  { rows: 1, C: 1 },
  { rows: 3, C: 33 },
  { rows: 3, C: 255 },
  { rows: 3, C: 256 },
  { rows: 1, C: 896 },
  { rows: 2, C: 1028 },
  { rows: 5, C: 4099 },
  { rows: 65_537, C: 2 },
  { rows: 65_537, C: 4 },
]
