/** One element, one row, one plane; widths on and off whole quads; a prime above 4096; over 65,535 rows. */
export const toRowsCases = [
  { C: 1, n: 1 },
  { C: 5, n: 1 },
  { C: 1, n: 257 },
  { C: 32, n: 255 },
  { C: 33, n: 256 },
  { C: 36, n: 257 },
  { C: 4099, n: 6 },
  { C: 8, n: 65_537 },
]
