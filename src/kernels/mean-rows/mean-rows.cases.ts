/** Rows around one chunk of 16 and 64 chunks of it; widths on and off whole quads; over 65,535 rows and groups. */
export const meanRowsCases = [
  { batch: 1, R: 1, C: 1 },
  { batch: 3, R: 16, C: 8 },
  { batch: 2, R: 17, C: 33 },
  { batch: 1, R: 1024, C: 12 },
  { batch: 2, R: 1025, C: 5 },
  { batch: 2, R: 3, C: 4099 },
  { batch: 1, R: 40, C: 1028 },
  { batch: 1, R: 65_537, C: 4 },
  { batch: 65_537, R: 2, C: 3 },
]
