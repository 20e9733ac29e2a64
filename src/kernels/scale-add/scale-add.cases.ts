/** Widths on and off whole quads and around a workgroup of 256 lanes; over 65,535 rows. */
export const scaleAddCases = [
  { rows: 1, C: 1 },
  { rows: 5, C: 255 },
  { rows: 4, C: 1024 },
  { rows: 3, C: 1028 },
  { rows: 2, C: 4099 },
  { rows: 65_537, C: 3 },
  { rows: 65_537, C: 4 },
]
